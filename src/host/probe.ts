// One batch that looks at a host: a POSIX sh script whose answer is cut into sections. It changes nothing and needs
// nothing but sh and, for some answers, /proc or systemctl; what is missing is an empty section.

import {readOptions, splitWords} from './getopt.js';
import type {Host, RunResult} from './host.js';

export interface Process {
  readonly pid: number;
  /** Words of the command line. From OpenSSH 8.2 on the listener shows them inside its title. */
  readonly argv: readonly string[];
  readonly exe: string | undefined;
  /** systemd unit whose main process this is, found through its control group. */
  readonly unit: string | undefined;
  readonly cwd: string | undefined;
  /** Listening TCP sockets as "address:port", IPv6 in brackets. */
  readonly listening: readonly string[];
}

export interface Probe {
  readonly uid: number;
  readonly gid: number;
  readonly hostname: string;
  /** The first sshd on PATH, sbin included. */
  readonly sshd: string | undefined;
  /** What that sshd answers to -V: its version, or before 9.2 its usage with the version in it. */
  readonly version: string;
  /** Daemons that listen, in this mount namespace or that of the first process where its files are the same. */
  readonly listeners: readonly Process[];
  /** Active socket units of ssh, e.g. "ssh.socket", with what they listen on. */
  readonly sockets: readonly {readonly unit: string; readonly listening: readonly string[]}[];
  readonly systemd: boolean;
  /** Of the paths asked about: those that cannot be written, or, where nothing is yet, cannot be made. */
  readonly unwritable: readonly string[];
  /** Directory with pam_exec.so, absent where there is none. */
  readonly pamModules: string | undefined;
  /** What that sshd says to -T about the configuration asked about, without a daemon's options. */
  readonly tested: RunResult | undefined;
}

// What the shell can do itself is not given to a program, each of which costs as much as all of that together. sshd is
// asked in the left half of a pipe, beside the rest, and heard when that is through.
const SCRIPT = String.raw`
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin
mark=$1 config=$2
shift 2
section() { printf '\n%s %s\n' "$mark" "$1"; }
sshd=$(command -v sshd)
ask() {
  [ -n "$sshd" ] || return
  section version; "$sshd" -V 2>&1
  [ -f "$config" ] || return
  section tested
  complaints=$("$sshd" -T -f "$config" 2>&1 >&3)
  status=$?
  section status; echo "$status"
  section complaints; echo "$complaints"
}
# Sockets that listen come first. Whoever reads on has the kernel search its table of all connections, which is large.
listening() {
  while read -r line; do
    case $line in
      sl*) ;;
      *' 0A '*) echo "$line" ;;
      *) break ;;
    esac
  done 2>/dev/null <"$1"
}
look() {
  while read -r name _ effective _; do
    case $name in Uid:) uid=$effective ;; Gid:) gid=$effective ;; esac
  done 2>/dev/null </proc/self/status
  read -r host 2>/dev/null </proc/sys/kernel/hostname
  section uid; [ -n "$uid" ] && echo "$uid" || id -u
  section gid; [ -n "$gid" ] && echo "$gid" || id -g
  section hostname; [ -n "$host" ] && echo "$host" || uname -n
  section sshd; echo "$sshd"
  section unwritable
  for path; do
    while [ ! -e "$path" ] && [ "$path" != / ]; do path=$(dirname "$path"); done
    [ -w "$path" ] || echo "$path"
  done
  section pam
  for path in /lib64/security /usr/lib64/security /lib/security /usr/lib/security /lib/*/security /usr/lib/*/security; do
    if [ -e "$path/pam_exec.so" ]; then echo "$path"; break; fi
  done
  section systemd; [ -d /run/systemd/system ] && echo yes
  if [ -d /run/systemd/system ]; then
    section sockets
    for unit in ssh.socket sshd.socket; do
      if systemctl --quiet is-active "$unit" 2>/dev/null; then
        echo "$unit"; systemctl show --property=Listen "$unit" 2>/dev/null
      fi
    done
  fi
  # A job of systemd may have mounts of its own over the very files that the first process, and so each daemon, sees.
  first=1
  [ $# -gt 0 ] || first=self
  for path in / "$@"; do
    [ ! -e "$path" ] || [ "/proc/1/root$path" -ef "$path" ] || first=self
  done
  cd /proc 2>/dev/null
  for comm in $(grep -ls '^sshd' [0-9]*/comm); do
    blanks=$IFS IFS=/
    set -- $comm
    IFS=$blanks pid=$1 dir=/proc/$1
    words=$(tr '\000' '\n' 2>/dev/null <"$dir/cmdline")
    case $words in
      */sshd'
'-[TV]*) continue ;; # The one that is being asked, mostly.
      *'[listener]'*|/*) ;;
      *) continue ;;
    esac
    [ "$dir/ns/mnt" -ef self/ns/mnt ] || [ "$dir/ns/mnt" -ef "$first/ns/mnt" ] || continue
    section "argv $pid"; printf '%s\n' "$words"
    section unit
    if [ -d /run/systemd/system ]; then
      unit=$(sed -n 's|.*/\([^/]*\.service\)$|\1|p' "$dir/cgroup" 2>/dev/null | head -n 1)
      [ -n "$unit" ] && [ "$(systemctl show --property=MainPID "$unit" 2>/dev/null)" = "MainPID=$pid" ] && echo "$unit"
    fi
    section links; ls -l "$dir/exe" "$dir/cwd" "$dir/fd" 2>/dev/null
    section tcp; listening "$dir/net/tcp"; listening "$dir/net/tcp6"
  done
  section end
}
ask 3>&1 | { look "$@" </dev/null; cat; }
`;

/** Runs the batch and reads its answer; `paths` are those that a change would write, `config` is a file of sshd's. */
export async function probe(host: Host, paths: readonly string[] = [], config = ''): Promise<Probe> {
  const mark = `@@${Math.random().toString(36).slice(2)}`;
  const {stdout} = await host.run(['sh', '-c', SCRIPT, 'sh', mark, config, ...paths]);
  return readProbe(stdout, mark);
}

/** The pure half: sections to facts. */
export function readProbe(text: string, mark: string): Probe {
  const sections = text.split(`\n${mark} `).map((part) => {
    const end = part.indexOf('\n');
    return {name: part.slice(0, end), body: part.slice(end + 1)};
  });
  const value = (name: string) => sections.find((section) => section.name === name)?.body.trim() || undefined;
  return {
    uid: Number(value('uid') ?? -1),
    gid: Number(value('gid') ?? -1),
    hostname: value('hostname') ?? '',
    sshd: value('sshd'),
    version: value('version') ?? '',
    systemd: value('systemd') === 'yes',
    unwritable: [...new Set(value('unwritable')?.split('\n') ?? [])],
    pamModules: value('pam'),
    tested: readTested(value),
    sockets: readSockets(value('sockets') ?? ''),
    listeners: readListeners(sections),
  };
}

/** Undefined as well when it was cut off. */
function readTested(value: (name: string) => string | undefined): RunResult | undefined {
  const status = value('status');
  if (status === undefined) return undefined;
  return {status: Number(status), stdout: value('tested') ?? '', stderr: value('complaints') ?? ''};
}

type Section = {readonly name: string; readonly body: string};

function readListeners(sections: readonly Section[]): Process[] {
  return sections.flatMap((section, index) => {
    if (!section.name.startsWith('argv ')) return [];
    const argv = listenerArgv(section.body.split('\n').filter((word) => word !== ''));
    if (argv === undefined) return [];
    const next = (name: string) =>
      sections
        .slice(index, index + 4)
        .find((one) => one.name === name)
        ?.body.trim() ?? '';
    const link = (name: string) =>
      new RegExp(` /proc/\\d+/${name} -> (.*)$`, 'm').exec(next('links'))?.[1] ?? '';
    const inodes = new Set([...next('links').matchAll(/socket:\[(\d+)\]/g)].map((match) => match[1]));
    return [
      {
        pid: Number(section.name.slice('argv '.length)),
        argv,
        exe: link('exe').replace(/ \(deleted\)$/, '') || undefined,
        cwd: link('cwd') || undefined,
        unit: next('unit') || undefined,
        listening: listeningSockets(next('tcp'), inodes),
      },
    ];
  });
}

/** Options of an sshd that listens to nobody: for one connection (-i, from the listener itself -R), or for a test. */
const NO_LISTENER = 'iRtTGV';

/**
 * The words a listener was started with; undefined for children and for one-shot `sshd -i`, `-t`, `-T`.
 * From 8.2 on the title reads `sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups`.
 */
export function listenerArgv(words: readonly string[]): string[] | undefined {
  const [first = ''] = words;
  const title = /^sshd(?:: |.*?: )(\/.*?) \[listener\]/.exec(words.join(' '));
  if (title?.[1] !== undefined) return splitWords(title[1]);
  if (!first.endsWith('/sshd')) return undefined;
  return readOptions(words).some(({letter}) => NO_LISTENER.includes(letter)) ? undefined : [...words];
}

function readSockets(text: string): Probe['sockets'] {
  const sockets: {unit: string; listening: string[]}[] = [];
  for (const line of text.split('\n')) {
    if (line.endsWith('.socket')) sockets.push({unit: line, listening: []});
    const address = /^Listen=((?:\[\S+\]|[\d.]+):\d+) \(Stream\)/.exec(line)?.[1];
    if (address !== undefined) sockets.at(-1)?.listening.push(address);
  }
  return sockets;
}

/** Lines of /proc/net/tcp{,6} in state LISTEN (0A) that belong to one of the inodes. */
function listeningSockets(table: string, inodes: ReadonlySet<string | undefined>): string[] {
  return table.split('\n').flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state !== '0A' || local === undefined || !inodes.has(inode)) return [];
    const [address = '', port = ''] = local.split(':');
    return [`${procAddress(address)}:${Number.parseInt(port, 16)}`];
  });
}

/** /proc writes addresses as 32-bit words in host byte order (little endian wherever we run). */
function procAddress(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.');
  const groups = bytes.join('').toLowerCase().match(/.{4}/g) ?? [];
  return `[${groups.map((group) => group.replace(/^0{1,3}/, '')).join(':')}]`;
}
