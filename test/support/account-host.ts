// A host of which there are only accounts: the programs that make and remove them work on a table, and can be told to fail.

import type {Account} from '../../src/host/accounts.js';
import type {Entry, RunResult} from '../../src/host/host.js';
import {LocalHost} from '../../src/host/local.js';
import {ReadOnlyHost} from '../../src/host/read-only.js';

const OWNED = {mode: 0o755, uid: 0, gid: 0};

export class AccountHost extends ReadOnlyHost {
  readonly accounts = new Map<string, Account>();
  readonly homes = new Set<string>();
  readonly groups: string[] = ['root:x:0:', 'adm:x:4:'];
  readonly shells: string[] | undefined = ['/bin/sh'];
  override uid = 0;
  unwritable = '';
  maker = 'useradd';
  /** What was run besides looking, a line each. */
  readonly ran: string[] = [];
  /** Programs that do otherwise than they should; undefined: as they should after all. */
  readonly instead = new Map<string, (argv: readonly string[]) => Partial<RunResult> | undefined>();

  constructor() {
    super(new LocalHost());
  }

  add(login: string, home = `/home/${login}`, shell = '/bin/sh', gid = 1000): void {
    this.accounts.set(login, {uid: 1000 + this.accounts.size, gid, home, shell});
  }

  override async look(path: string): Promise<Entry | undefined> {
    if (path === '/home' || this.homes.has(path)) return {kind: 'directory', names: [], ...OWNED};
    if (path === '/bin/sh' || path === '/sbin/nologin')
      return {kind: 'file', bytes: new Uint8Array(), ...OWNED};
    return undefined;
  }

  override async resolve(path: string): Promise<string> {
    return path;
  }

  override async run(argv: readonly string[]): Promise<RunResult> {
    const [program = '', , script = '', , mark = '', ...names] = argv;
    const done = {status: 0, stdout: '', stderr: ''};
    if (program === '/bin/sh')
      return script.includes('section') ? {...done, stdout: this.#told(mark, names)} : done;
    this.ran.push(argv.join(' '));
    const other = this.instead.get(program)?.(argv);
    if (other !== undefined) return {...done, ...other};
    const login = argv.at(-1) ?? '';
    if (program === 'useradd' || program === 'adduser') {
      this.add(login);
      if (!argv.includes('--no-create-home') && !argv.includes('-H')) this.homes.add(`/home/${login}`);
    }
    if (program === 'userdel' || program === 'deluser') {
      this.accounts.delete(login);
      if (argv.some((word) => word.startsWith('--remove'))) this.homes.delete(`/home/${login}`);
    }
    return done;
  }

  /** As the batch would say it. */
  #told(mark: string, names: readonly string[]): string {
    const sections: [string, readonly string[]][] = [
      ['uid', [String(this.uid)]],
      ['unwritable', [this.unwritable]],
      ['maker', [this.maker]],
      ['base', ['/home']],
      ['groups', this.groups],
      ...(this.shells === undefined ? [] : ([['shells', this.shells]] as [string, string[]][])),
      ...names.flatMap((name): [string, readonly string[]][] => {
        const account = this.accounts.get(name);
        const passwd = account && `${name}:x:${account.uid}:${account.gid}::${account.home}:${account.shell}`;
        const group = this.groups.find((line) => line.startsWith(`${name}:`));
        return [
          [`account ${name}`, passwd === undefined ? [] : [passwd]],
          [`group ${name}`, group === undefined ? [] : [group]],
        ];
      }),
      ['end', []],
    ];
    return sections.map(([name, lines]) => `\n${mark} ${name}\n${lines.join('\n')}\n`).join('');
  }
}
