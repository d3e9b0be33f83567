// The real job against a real cluster: TELEPORT_PROXY, TELEPORT_TOKEN (role Node) and, for a private web certificate,
// TELEPORT_CA_FILE. With TELEPORT_IDENTITY (an identity file of a user who may log in as whoever runs the tests) and tsh on
// PATH the login through the proxy is tried as well. The proxy must be able to dial 127.0.0.1 of this machine.

import {execFile} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir, userInfo} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {type PrivateSshd, startPrivateSshd} from '../../src/demo/private-sshd.js';
import {agentless} from '../support/cli.js';
import {skip} from '../support/skip.js';
import {envelope} from '../support/stage.js';
import {type Leaf, snapshot} from '../support/tree.js';

const {
  TELEPORT_PROXY: proxy,
  TELEPORT_TOKEN: token,
  TELEPORT_CA_FILE: caFile,
  TELEPORT_IDENTITY: identity,
} = process.env;

/** A name that no earlier run has left in the cluster. */
const NAME = `agentless-${Date.now().toString(36)}`;

describe('join openssh against a real cluster', () => {
  let root: string;
  let sshd: PrivateSshd;
  let untouched: Record<string, Leaf>;

  before(async function () {
    if (!proxy || !token) skip(this, 'TELEPORT_PROXY and TELEPORT_TOKEN are not set');
    root = mkdtempSync(join(tmpdir(), 'agentless-interop-'));
    sshd = await startPrivateSshd({directory: join(root, 'etc'), program: process.env['SSHD']});
    const {'sshd.log': _, ...etc} = await snapshot(join(root, 'etc'));
    untouched = etc;
  });

  after(async () => {
    await sshd?.stop();
    if (root !== undefined) rmSync(root, {recursive: true, force: true});
  });

  const words = (host = sshd, data = 'data'): string[] => [
    ...['join', 'openssh', '--proxy-server', proxy ?? '', '--openssh-config', host.config],
    ...['--data-dir', join(root, data), '--hostname', NAME, '--address', `127.0.0.1:${host.port}`],
    ...['--labels', 'purpose=interop', '--json', ...(caFile ? ['--ca-file', caFile] : [])],
  ];

  it('refuses a token that does not exist, and leaves the host as it was', async () => {
    const before = await snapshot(join(root, 'etc'));
    const refused = envelope(await agentless([...words(), '--token', '-'], {input: 'no-such-token'}));
    expect(refused.exit, refused.stderr).to.equal(4);
    expect(refused.error?.code).to.equal('TOKEN_REFUSED');
    const after = await snapshot(join(root, 'etc'));
    expect({...after, 'sshd.log': undefined}).to.deep.equal({...before, 'sshd.log': undefined});
  });

  it('joins, and a second run changes nothing', async () => {
    const first = envelope(await agentless([...words(), '--token', '-'], {input: token ?? ''}));
    expect(first.exit, first.stderr + JSON.stringify(first.error)).to.equal(0);
    expect(first.changed).to.equal(true);
    expect(first.result.certificates).to.have.length(3);
    const log = readFileSync(sshd.log, 'latin1');
    const again = envelope(await agentless(words()));
    expect(again.exit, again.stderr + JSON.stringify(again.error)).to.equal(0);
    expect(again.changed).to.equal(false);
    expect(readFileSync(sshd.log, 'latin1').slice(log.length)).to.not.contain('SIGHUP');
  });

  it('is logged in to through the proxy, by name and by node id', async function () {
    if (!identity) skip(this, 'TELEPORT_IDENTITY is not set');
    const {result} = envelope(await agentless(words()));
    for (const name of [NAME, result.node.id]) {
      const login = await tsh(['ssh', `${userInfo().username}@${name}`, 'echo', 'hello']);
      if (login.missing) skip(this, 'tsh is not on PATH');
      expect(login.stdout, login.stderr).to.equal('hello\n');
    }
  });

  it('leaves a host alone whose name another node has', async () => {
    const other = await startPrivateSshd({directory: join(root, 'other'), program: process.env['SSHD']});
    try {
      const taken = [...words(other, 'other-data'), '--token', '-'];
      const refused = envelope(await agentless(taken, {input: token ?? ''}));
      expect(refused.exit).to.equal(4);
      expect(refused.error?.code).to.equal('NODE_EXISTS');
    } finally {
      await other.stop();
    }
  });

  it('is left again: the host is as it was, and the cluster takes its record away', async () => {
    const argv = ['leave', '--data-dir', join(root, 'data'), '--json'];
    const left = envelope(await agentless(argv));
    expect([left.exit, left.warnings], left.stderr + JSON.stringify(left.error)).to.deep.equal([0, []]);
    expect(left.result.node.removed).to.equal(true);
    const {'sshd.log': _, ...etc} = await snapshot(join(root, 'etc'));
    expect(withoutTimes(etc)).to.deep.equal(withoutTimes(untouched));
    expect(envelope(await agentless(argv)).changed).to.equal(false);
  });

  for (const [what, flags, kept] of [
    ['a token made by an identity', [], 'kept'],
    ['certificates that an identity has had signed', ['--manual'], 'discarded'],
  ] as const)
    it(`joins with ${what}, and is left by that identity`, async function () {
      if (!identity) skip(this, 'TELEPORT_IDENTITY is not set');
      const by = ['--identity', identity];
      // The record of the test before is gone, and the lists of the cluster are a second behind.
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const joined = envelope(await agentless([...words(), ...by, ...flags]));
      expect(joined.exit, joined.stderr + JSON.stringify(joined.error)).to.equal(0);
      expect([joined.changed, joined.result.identity]).to.deep.equal([true, kept]);
      const again = envelope(await agentless([...words(), ...by, ...flags]));
      expect([again.exit, again.changed], JSON.stringify(again.error)).to.deep.equal([0, false]);
      const left = envelope(await agentless(['leave', '--data-dir', join(root, 'data'), '--json', ...by]));
      expect([left.exit, left.result.node.removed], JSON.stringify(left.error)).to.deep.equal([0, true]);
    });
});

/** sshd writes its pid file anew when it is reloaded. */
function withoutTimes(tree: Record<string, Leaf>): Record<string, Leaf> {
  const {'sshd.pid': pid, ...rest} = tree;
  return pid === undefined ? rest : {...rest, 'sshd.pid': {...pid, mtime: ''}};
}

function tsh(argv: readonly string[]): Promise<{stdout: string; stderr: string; missing: boolean}> {
  const home = mkdtempSync(join(tmpdir(), 'agentless-tsh-'));
  const options = ['--proxy', proxy ?? '', '-i', identity ?? '', ...argv];
  const env = {...process.env, TELEPORT_HOME: home, ...(caFile && {SSL_CERT_FILE: caFile})};
  return new Promise((resolve) => {
    execFile('tsh', options, {env}, (error, stdout, stderr) => {
      rmSync(home, {recursive: true, force: true});
      resolve({stdout, stderr, missing: error !== null && error.code === 'ENOENT'});
    });
  });
}
