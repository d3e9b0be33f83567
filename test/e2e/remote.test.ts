// A whole life through ssh, with the built program and nothing but sshd and a shell on the host.

import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {type RemoteStage, startRemoteStage} from '../support/remote-stage.js';
import {skip} from '../support/skip.js';
import {envelope, type Stage} from '../support/stage.js';
import {snapshot} from '../support/tree.js';

const BUSYBOX = ['/usr/bin/busybox', '/bin/busybox', process.env['BUSYBOX'] ?? ''].find(existsSync);

describe('a host that is reached through ssh', function () {
  this.timeout(120_000);
  let remote: RemoteStage;
  let stage: Stage;
  afterEach(() => remote?.stop());

  async function start(lines: readonly string[] = []): Promise<void> {
    remote = await startRemoteStage(lines);
    ({stage} = remote);
  }

  const joining = async (words: readonly string[] = [], token = stage.cluster.token) =>
    envelope(
      await agentless([...stage.words, ...remote.there, '--token', '-', '--json', ...words], {input: token}),
    );
  const leaving = async () =>
    envelope(await agentless(['leave', '--data-dir', stage.dataDir, ...remote.there, '--json']));

  it('is joined, looked at, and left byte for byte; neither token nor key gets there', async () => {
    await start();
    const before = await stage.host();
    const joined = await joining();
    expect(joined.exit, JSON.stringify(joined)).to.equal(0);
    expect(joined.changed).to.equal(true);
    expect(joined.result.identity).to.equal('discarded');
    expect((await stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
    const there = Object.values({...(await stage.host()), ...(await snapshot(stage.dataDir))});
    const content = there.map((leaf) => leaf.content ?? '').join('\n');
    expect(content).not.to.include(stage.cluster.token);
    expect(existsSync(join(stage.dataDir, 'identity'))).to.equal(false);

    const words = ['--data-dir', stage.dataDir, ...remote.there, '--json'];
    const status = envelope(await agentless(['status', ...words]));
    expect(status.exit, JSON.stringify(status.result)).to.equal(0);
    expect(status.result.node.hostname).to.equal('web1');
    const doctor = envelope(
      await agentless(['doctor', '--login', stage.login, '--ca-file', stage.cluster.caFile, ...words]),
    );
    expect(doctor.exit, JSON.stringify(doctor.result)).to.equal(0);

    const left = await leaving();
    expect(left.exit, JSON.stringify(left)).to.equal(0);
    expect(await stage.host()).to.deep.equal(before);
    expect(existsSync(stage.dataDir)).to.equal(false);
    const outside = envelope(await agentless(['status', ...words]));
    expect(outside.exit).to.equal(3);
    const [{fix}] = outside.result.problems;
    expect(fix).to.match(/^agentless join openssh --host web1 --ssh-config \S+ --proxy-server PROXY /);
  });

  it('ends up with the very files that a join on the host itself makes', async () => {
    await start();
    const shape = async () =>
      Object.fromEntries(
        Object.entries({...(await stage.host()), ...(await snapshot(stage.dataDir))}).map(
          ([path, {kind, mode, owner}]) => [path, {kind, mode, owner}],
        ),
      );
    const local = await stage.joinJson(['--discard-identity']);
    expect(local.exit, JSON.stringify(local)).to.equal(0);
    const config = stage.config;
    const wanted = await shape();
    expect((await stage.leave(['--local'])).status).to.equal(0);
    const far = await joining(['--yes']);
    expect(far.exit, JSON.stringify(far)).to.equal(0);
    expect(await shape()).to.deep.equal(wanted);
    expect(stage.config).to.equal(config);
  });

  it('is renewed with an identity, and a second run changes nothing', async () => {
    await start();
    const identity = join(stage.root, 'admin');
    const made = await agentless(['cluster', 'identity', '--dir', stage.cluster.dir, '--out', identity]);
    expect(made.status, made.stderr).to.equal(0);
    const by = ['--identity', identity];
    const first = envelope(await agentless([...stage.words, ...remote.there, ...by, '--json']));
    expect(first.exit, JSON.stringify(first)).to.equal(0);
    expect(first.changed).to.equal(true);
    const before = await stage.host();
    const second = envelope(await agentless([...stage.words, ...remote.there, ...by, '--json']));
    expect([second.exit, second.changed]).to.deep.equal([0, false]);
    const renewed = envelope(
      await agentless([
        'renew',
        '--data-dir',
        stage.dataDir,
        ...remote.there,
        ...by,
        '--ca-file',
        stage.cluster.caFile,
        '--json',
      ]),
    );
    expect([renewed.exit, renewed.changed], JSON.stringify(renewed)).to.deep.equal([0, false]);
    expect(await stage.host()).to.deep.equal(before);
  });

  it('is unharmed when the join fails, and says what is wrong with the token as ever', async () => {
    await start();
    const before = await stage.host();
    const refused = await joining([], 'wrong-token');
    expect(refused.exit).to.equal(4);
    expect(refused.error?.code).to.equal('TOKEN_REFUSED');
    expect(await stage.host()).to.deep.equal(before);
    expect(existsSync(stage.dataDir)).to.equal(false);
  });

  it('is as it was when the join is interrupted', async () => {
    await start();
    const before = await stage.host();
    const ended = await agentless([...stage.words, ...remote.there, '--token', '-'], {
      input: stage.cluster.token,
      started: (_pid, kill) => {
        interrupt = () => kill('SIGINT');
      },
      onStderr: (text) => {
        if (/^ {2}reload /m.test(text)) interrupt();
      },
    });
    expect(ended.status, ended.stderr).to.equal(130);
    expect(await stage.host()).to.deep.equal(before);
  });
  let interrupt = (): void => undefined;

  describe('with a login shell', () => {
    const shells = {
      'that prints noise': 'echo noise; echo more noise >&2; exec sh -c "$SSH_ORIGINAL_COMMAND"',
      'with a PATH of one directory':
        'PATH=/nonexistent:/usr/bin:/bin; export PATH; exec sh -c "$SSH_ORIGINAL_COMMAND"',
      'and bash as /bin/sh': withShell('bash --posix'),
    };
    for (const [name, command] of Object.entries(shells)) {
      it(name, async () => {
        await start([`ForceCommand ${command}`]);
        const joined = await joining();
        expect(joined.exit, JSON.stringify(joined)).to.equal(0);
        expect((await leaving()).exit).to.equal(0);
      });
    }

    it('and nothing but busybox beside sshd and ssh', async function () {
      if (BUSYBOX === undefined) skip(this, 'no busybox; name one by BUSYBOX');
      const tools = mkdtempSync('/tmp/agentless-busybox-');
      try {
        for (const applet of execFileSync(BUSYBOX, ['--list']).toString().trim().split('\n')) {
          symlinkSync(BUSYBOX, join(tools, applet));
        }
        for (const tool of ['ssh', 'ssh-keygen']) {
          const path = execFileSync('which', [tool]).toString().trim();
          rmSync(join(tools, tool), {force: true});
          symlinkSync(path, join(tools, tool));
        }
        await start([`ForceCommand PATH=${tools}; export PATH; ${withShell(`${tools}/sh`)}`]);
        const before = await stage.host();
        const joined = await joining();
        expect(joined.exit, JSON.stringify(joined)).to.equal(0);
        const left = await leaving();
        expect(left.exit, JSON.stringify(left)).to.equal(0);
        // Its cp keeps times to the second.
        expect(inSeconds(await stage.host())).to.deep.equal(inSeconds(before));
      } finally {
        rmSync(tools, {recursive: true, force: true});
      }
    });
  });

  describe('cannot be reached', () => {
    async function expectUnreachable(
      words: readonly string[],
      message: string,
      detail: string,
      hint: string,
    ) {
      const before = await stage.host();
      const ended = envelope(
        await agentless([...stage.words, '--token', '-', '--json', ...words], {input: stage.cluster.token}),
      );
      expect(ended.exit, JSON.stringify(ended)).to.equal(6);
      expect(ended.error?.code).to.equal('HOST_UNREACHABLE');
      expect(ended.error?.message).to.equal(message);
      expect(ended.error?.detail).to.include(detail);
      expect(ended.error?.hint).to.include(hint);
      expect(await stage.host()).to.deep.equal(before);
    }

    it('when its host key is unknown, or another', async () => {
      await start();
      const config = readFileSync(remote.sshConfig, 'utf8');
      const known = /UserKnownHostsFile (\S+)/.exec(config)?.[1] ?? '';
      writeFileSync(known, '');
      const verify = 'compare its host key';
      await expectUnreachable(
        remote.there,
        'no connection to web1 by ssh',
        'Host key verification failed.',
        verify,
      );
      const other = execFileSync('ssh-keygen', [
        '-q',
        '-t',
        'ed25519',
        '-N',
        '',
        '-f',
        join(stage.root, 'other'),
      ]);
      expect(other.length).to.equal(0);
      const [type, key] = readFileSync(join(stage.root, 'other.pub'), 'utf8').split(' ');
      writeFileSync(known, `web1 ${type} ${key}\n`);
      await expectUnreachable(
        remote.there,
        'no connection to web1 by ssh',
        'REMOTE HOST IDENTIFICATION HAS CHANGED',
        verify,
      );
    });

    it('when nobody lets us in, nobody listens, or the name is none', async () => {
      await start();
      const login = ['--host', 'nobody@web1', '--ssh-config', remote.sshConfig];
      await expectUnreachable(login, 'no connection to web1 by ssh', 'Permission denied', 'lets you in');
      const port = ['--host', 'web1:1', '--ssh-config', remote.sshConfig];
      await expectUnreachable(port, 'no connection to web1 by ssh', 'Connection refused', 'works from here');
      const name = ['--host', 'no-such-host.invalid', '--ssh-config', remote.sshConfig];
      await expectUnreachable(
        name,
        'no connection to no-such-host.invalid by ssh',
        'no-such-host.invalid',
        'works from here',
      );
    });
  });

  it('is not taken for an option of ssh', async () => {
    await start();
    for (const host of [
      '-oProxyCommand=touch /tmp/x',
      'root@-F',
      'a b',
      '',
      'web1:0',
      'web1:70000',
      '[::1',
    ]) {
      const ended = await agentless(['status', '--host', host, '--json']);
      expect(envelope(ended).exit, host).to.equal(2);
    }
    const alone = envelope(await agentless(['status', '--sudo', '--json']));
    expect([alone.exit, alone.error?.message]).to.deep.equal([2, '--sudo goes with --host only']);
  });
});

/** A login shell that has the host's /bin/sh be another. */
function withShell(shell: string): string {
  return `eval "$(printf '%s' "$SSH_ORIGINAL_COMMAND" | sed 's|/bin/sh |${shell} |')"`;
}

function inSeconds(tree: Awaited<ReturnType<Stage['host']>>) {
  return Object.entries(tree).map(([path, leaf]) => [path, {...leaf, mtime: leaf.mtime?.slice(0, -9)}]);
}
