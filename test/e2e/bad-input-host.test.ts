// Hosts on which nothing should be tried: files missing, unreadable, immutable, broken; keys that sshd does not load.

import {execFileSync, spawnSync} from 'node:child_process';
import {chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, statfsSync, symlinkSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {expect} from 'chai';
import {findSshd} from '../../src/demo/private-sshd.js';
import {agentless} from '../support/cli.js';
import {withFlags} from '../support/flags.js';
import {NOBODY, skipUnlessNobodyCanRunIt} from '../support/nobody.js';
import {greeting, type Refused, refused} from '../support/refusal.js';
import {skip} from '../support/skip.js';
import {sshdIsAtLeast} from '../support/sshd-version.js';
import {envelope, Stage} from '../support/stage.js';

const UNSUITABLE = {exit: 6, code: 'HOST_UNSUITABLE'};
const INVALID = {exit: 6, code: 'SSHD_CONFIG_INVALID'};
const isRoot = process.getuid?.() === 0;

describe('join openssh on a host that is not fit for it', () => {
  let stage: Stage;
  let config: string;
  const sshd = process.env['SSHD'] ?? findSshd();

  before(async () => {
    stage = await Stage.quick();
    ({config} = stage.sshd);
  });
  after(() => stage.stop());

  /** sshd_config is something else for a while. */
  async function instead(make: () => void, expected: Refused, words: readonly string[] = []) {
    const aside = join(stage.root, 'sshd_config.aside');
    renameSync(config, aside);
    try {
      make();
      return await refused(stage, expected, words);
    } finally {
      rmSync(config, {recursive: true, force: true});
      renameSync(aside, config);
    }
  }

  describe('sshd_config', () => {
    it('missing', async () => {
      const says = new RegExp(`cannot read ${config}`);
      const {error} = await instead(() => undefined, {...UNSUITABLE, says, detail: /ENOENT/});
      expect(error?.hint).to.include('--openssh-config');
    });

    it('a dangling symbolic link', async () => {
      const detail = /sshd_config -> gone\/sshd_config$/;
      const expected = {...UNSUITABLE, says: /is a dangling symbolic link/, detail};
      await instead(() => symlinkSync('gone/sshd_config', config), expected);
    });

    it('a symbolic link to itself', async () => {
      await instead(() => symlinkSync('sshd_config', config), {...UNSUITABLE, detail: /-> sshd_config$/});
    });

    it('a directory', async () => {
      await instead(() => mkdirSync(config), {...UNSUITABLE, says: /is not a regular file/});
    });

    it('a named pipe, which is not opened', async () => {
      const pipe = join(stage.root, 'pipe');
      execFileSync('mkfifo', [pipe]);
      await instead(() => symlinkSync(pipe, config), {...UNSUITABLE, says: /is not a regular file/});
    });

    it('unreadable for the user who joins', async function () {
      const caFile = join(stage.root, 'ca.pem');
      copyFileSync(stage.cluster.caFile, caFile);
      chmodSync(caFile, 0o644);
      chmodSync(stage.root, 0o755);
      const flags = {'ca-file': caFile};
      skipUnlessNobodyCanRunIt(this);
      for (const mode of [0o600, 0o644]) {
        chmodSync(config, mode);
        const expected = {...UNSUITABLE, says: /cannot be (read|written)|cannot read/};
        const {error} = await refused(stage, expected, [], {flags, prefix: NOBODY});
        expect(error?.hint, 'who can').to.include('run this as root, with sudo');
      }
    });

    it('immutable', async function () {
      const flag = (change: string) => spawnSync('chattr', [change, config]).status === 0;
      if (!flag('+i')) skip(this, 'chattr +i does not work here');
      try {
        const expected = {...UNSUITABLE, says: new RegExp(`${config} cannot be written`)};
        const {error} = await refused(stage, expected);
        expect(error?.hint).to.include('lsattr');
      } finally {
        flag('-i');
      }
    });

    it("with a syntax error: sshd's own words, verbatim", async () => {
      for (const line of ['PermitRotLogin no', 'MaxAuthTries many', 'Match Usr root', 'Banner "half']) {
        const edit = (text: string) => `# one\n${line}\n${text}`;
        await stage.withConfig(edit, async () => {
          const {stderr} = spawnSync(sshd, ['-T', '-f', config], {encoding: 'utf8', env: {LC_ALL: 'C'}});
          expect(stderr).to.match(/line 2/);
          const {error} = await refused(stage, {...INVALID, says: /refuses its own configuration/});
          expect(error?.detail).to.equal(stderr.trim().replaceAll('\r\n', '\n'));
          expect(error?.hint).to.include(`sshd -t -f ${config}`);
        });
      }
    });

    it('with a byte that sshd does not take', async () => {
      await stage.withConfig(
        (text) => `\xef\xbb\xbf${text}`,
        () => refused(stage, INVALID),
      );
      await stage.withConfig(
        (text) => `MaxSessions 1\0\n${text}`,
        () => refused(stage, INVALID),
      );
    });

    it('with an Include that loops', async function () {
      if (!sshdIsAtLeast(8, 2)) skip(this, 'this sshd knows no Include');
      await stage.withConfig(
        (text) => `Include ${config}\n${text}`,
        () => refused(stage, {...INVALID, detail: /[Ii]nclude/}),
      );
    });

    it('that belongs to a package and cannot be written', async function () {
      if (!isRoot) skip(this, 'needs a mount namespace');
      const script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';
      const prefix = ['unshare', '-m', 'sh', '-c', script, 'sh', dirname(config)];
      if (spawnSync(prefix[0] ?? '', [...prefix.slice(1), 'true']).status !== 0)
        skip(this, 'no mount namespaces here');
      const {error} = await refused(stage, {...UNSUITABLE, says: /cannot be written/}, [], {prefix});
      expect(error?.hint).to.include('read-only file system');
    });
  });

  describe('host keys', () => {
    const keys = () => ['ed25519', 'ecdsa'].map((type) => join(dirname(config), `ssh_host_${type}_key`));

    async function without<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
      for (const path of paths) renameSync(path, `${path}.aside`);
      try {
        return await work();
      } finally {
        for (const path of paths) renameSync(`${path}.aside`, path);
      }
    }

    async function open<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
      for (const path of paths) chmodSync(path, 0o644);
      try {
        return await work();
      } finally {
        for (const path of paths) chmodSync(path, 0o600);
      }
    }

    it('all missing', async () => {
      const expected = {
        ...INVALID,
        says: /sshd can load none of its host keys/,
        detail: /no hostkeys available/,
      };
      await without(keys(), () => refused(stage, expected, [], {silent: true}));
      expect(await greeting(stage.sshd.port)).to.match(/^SSH-2/);
    });

    it('all with a mode that sshd does not take', async () => {
      const expected = {
        ...INVALID,
        says: /sshd can load none of its host keys/,
        detail: /UNPROTECTED|bad permissions/,
      };
      const {error} = await open(keys(), () => refused(stage, expected, [], {silent: true}));
      expect(error?.hint).to.include('0600');
    });

    it('one missing, or with such a mode: said, and the other is certified', async () => {
      const [key = ''] = keys();
      const dryRun = async () => envelope(await stage.join(['--dry-run', '--json']));
      for (const [answer, words] of [
        [await without([key], dryRun), /cannot be read; it is not served/],
        [await open([key], dryRun), /has mode 644; sshd does not load it/],
      ] as const) {
        expect(answer.exit, JSON.stringify(answer)).to.equal(0);
        expect(answer.result.certificates.map(({type}: {type: string}) => type)).to.deep.equal(['ecdsa']);
        expect(
          answer.warnings.filter((warning) => words.test(warning) && warning.includes(key)),
        ).to.have.length(1);
      }
    });
  });

  for (const [what, says, packages] of [
    // A daemon that goes on without its program is asked what it is.
    ['sshd', /there is no sshd on this host|sshd does not say that it is OpenSSH/, 'openssh-server'],
    ['ssh', /there is no ssh client on this host/, 'openssh-client'],
  ] as const) {
    it(`without any ${what}`, async function () {
      if (!isRoot) skip(this, 'needs a mount namespace');
      if (spawnSync('unshare', ['-m', 'true']).status !== 0) skip(this, 'no mount namespaces here');
      const places = ['sbin', 'bin', 'local/sbin', 'local/bin'].map((place) => `/usr/${place}/${what}`);
      const hide = `for f in ${places.join(' ')}; do [ -e $f ] && mount --bind /dev/null $f; done`;
      const prefix = ['unshare', '-m', 'sh', '-c', `${hide}; exec "$@"`, 'sh'];
      const {error} = await refused(stage, {...UNSUITABLE, says}, [], {prefix});
      if (error?.message.startsWith('there is no')) expect(error.hint).to.include(packages);
    });
  }

  it('with a file where the data directory should be, or above it', async () => {
    const under = (path: string) => ({spent: true, flags: {'data-dir': path}});
    const {config: file} = stage.sshd;
    await refused(stage, {...UNSUITABLE, says: /is not a directory/}, [], under(file));
    const {error} = await refused(
      stage,
      {...UNSUITABLE, says: /: not a directory/},
      [],
      under(`${file}/data`),
    );
    expect(error?.hint).to.include('stands where one should be');
  });

  it('with a full disk: put back, or never begun', async function () {
    if (!isRoot || spawnSync('unshare', ['-m', 'true']).status !== 0) skip(this, 'no mount namespaces here');
    const disk = join(stage.root, 'disk');
    mkdirSync(disk);
    const list =
      '{ find etc data 2>/dev/null | sort | xargs stat -c "%n %f %u:%g"; stat -c "%n %Y %s" etc/*; cat etc/*; }';
    const script = `mount -t tmpfs -o size=400k disk "$1" && cp -a "$2" "$1/etc" && cd "$1" && ${list} >/tmp/$$.before
      room=$3; shift 3; dd if=/dev/zero of=filler bs=4k count=$(($(stat -f -c %a .) - room)) 2>/dev/null
      "$@"; status=$?; rm filler; ${list} >/tmp/$$.after; cmp /tmp/$$.before /tmp/$$.after >&2; rm /tmp/$$.*; exit $status`;
    const codes = new Set<string>();
    for (const room of [0, 2, 5, 9]) {
      const prefix = ['unshare', '-m', 'sh', '-c', script, 'sh', disk, dirname(config), String(room)];
      const flags = {'openssh-config': join(disk, 'etc/sshd_config'), 'data-dir': join(disk, 'data')};
      const argv = withFlags([...stage.words, '--token', '-', '--json'], flags);
      const result = await agentless(argv, {prefix, input: stage.cluster.token});
      expect(result.stderr, `room ${room}: the host is as it was`).to.equal('');
      const {exit, error} = envelope(result);
      expect([6, 7], `room ${room}: ${result.stdout}`).to.include(exit);
      expect(error?.message).to.match(/no space left on device/);
      expect(error?.hint).to.include('free some space');
      codes.add(error?.code ?? '');
    }
    expect([...codes]).to.have.members(['HOST_UNSUITABLE', 'CHANGE_FAILED']);
    expect(stage.cluster.nodes()).to.deep.equal([]);
    expect(statfsSync(stage.root).type, 'the disk is gone with its namespace').to.equal(
      statfsSync(disk).type,
    );
  });
});
