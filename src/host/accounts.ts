// The accounts and groups of a host, and the programs that make them.

import type {Host} from './host.js';

/** A line of passwd(5). */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** Empty: /bin/sh. */
  readonly shell: string;
}

/** A line of group(5). */
export interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

export interface Accounts {
  /** Of whoever asks. */
  readonly uid: number;
  /** What cannot be written of that in which accounts are kept, the first of it. */
  readonly unwritable: readonly string[];
  /** What makes accounts: shadow's useradd, or BusyBox's adduser; undefined: neither. */
  readonly maker: Maker | undefined;
  /** The directory of new homes, as that program has it. */
  readonly base: string;
  /** Those asked about that there are, from whatever source of the name service. */
  readonly accounts: ReadonlyMap<string, Account>;
  /** Names asked about that are names of groups, from whatever source. */
  readonly alsoGroups: ReadonlySet<string>;
  /** Groups of /etc/group: those that an account can be put into here. */
  readonly groups: readonly Group[];
  /** Of /etc/shells; undefined where there is no such file. */
  readonly shells: readonly string[] | undefined;
}

export type Maker = 'useradd' | 'busybox';

// getent is not on every small system. Another program called adduser asks questions.
const SCRIPT = String.raw`
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin
mark=$1
shift
section() { printf '\n%s %s\n' "$mark" "$1"; }
command -v getent >/dev/null || getent() {
  while IFS= read -r line; do
    case $line in "$2":*) echo "$line"; break ;; esac
  done <"/etc/$1"
}
section uid; id -u
section unwritable
for path in /etc /etc/passwd /etc/group /etc/shadow; do
  if [ -e "$path" ] && [ ! -w "$path" ]; then echo "$path"; break; fi
done
section maker
if command -v useradd >/dev/null; then echo useradd
else
  adduser=$(command -v adduser) && case $(readlink -f "$adduser") in *busybox*) echo busybox ;; esac
fi
section base; useradd -D 2>/dev/null | sed -n 's/^HOME=//p'
section groups; cat /etc/group
if [ -e /etc/shells ]; then section shells; cat /etc/shells; fi
for name; do
  section "account $name"; getent passwd "$name"
  section "group $name"; getent group "$name"
done
section end
`;

/** Runs the batch; `names` are logins, and none begins with a dash. Changes nothing. */
export async function lookAtAccounts(host: Host, names: readonly string[]): Promise<Accounts> {
  const mark = `@@${Math.random().toString(36).slice(2)}`;
  const {stdout} = await host.run(['/bin/sh', '-c', SCRIPT, 'sh', mark, ...names]);
  return readAccounts(stdout, mark, names);
}

/** The pure half. */
export function readAccounts(text: string, mark: string, names: readonly string[]): Accounts {
  const sections = new Map(
    text.split(`\n${mark} `).map((part): [string, string] => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end + 1).trim()];
    }),
  );
  const lines = (name: string) =>
    sections
      .get(name)
      ?.split('\n')
      .flatMap((line) => line.trim() || []) ?? [];
  const accounts = names.map((name) => [name, readAccount(lines(`account ${name}`)[0] ?? '')] as const);
  const maker = sections.get('maker');
  return {
    uid: Number(sections.get('uid') || -1),
    unwritable: lines('unwritable'),
    maker: maker === 'useradd' || maker === 'busybox' ? maker : undefined,
    base: sections.get('base') || '/home',
    accounts: new Map(accounts.flatMap(([name, account]) => (account ? [[name, account]] : []))),
    alsoGroups: new Set(names.filter((name) => sections.get(`group ${name}`))),
    groups: lines('groups').flatMap(readGroup),
    shells: sections.has('shells') ? lines('shells').filter((line) => line.startsWith('/')) : undefined,
  };
}

function readAccount(line: string): Account | undefined {
  const [, , uid, gid, , home = '', shell = ''] = line.split(':');
  if (uid === undefined || gid === undefined || !/^\d+$/.test(uid)) return undefined;
  return {uid: Number(uid), gid: Number(gid), home, shell};
}

/** Lines of NIS ("+::") are no groups. */
function readGroup(line: string): Group[] {
  const [name = '', , gid = '', members = ''] = line.split(':');
  if (!/^\d+$/.test(gid)) return [];
  return [{name, gid: Number(gid), members: members.split(',').filter((member) => member !== '')}];
}
