import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import type {ClusterOptions} from '../../../src/devcluster/index.js';
import {agentless} from '../../support/cli.js';
import {clientOf, joinRequest} from '../../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../../support/dev-cluster.js';
import {withFlags} from '../../support/flags.js';
import {ALICE, identityText, tbotOutput} from '../../support/identity.js';
import {inProcess} from '../../support/in-process.js';
import {schemaNamed, violations} from '../../support/json-schema.js';

const VALUE = 'e92faee4c08cade76f7919ec4d5685de';

describe('tokens', () => {
  const hooks: Partial<ClusterOptions> = {};
  let server: TemporaryCluster;
  let directory: string;
  let identity: string;

  before(async () => {
    server = await temporaryCluster(hooks);
    directory = mkdtempSync(join(tmpdir(), 'agentless-tokens-'));
    identity = join(directory, 'alice.id');
    writeFileSync(identity, await server.identity(ALICE), {mode: 0o600});
  });
  afterEach(() => {
    hooks.testOnlyCall = undefined;
    hooks.testOnlyMfa = undefined;
    server.removeToken(VALUE);
  });
  after(async () => {
    await server.stop();
    rmSync(directory, {recursive: true});
  });

  const where = () => ['--proxy-server', server.proxy, '--ca-file', server.caFile, '--identity', identity];
  const run = (command: string, ...words: readonly string[]) =>
    inProcess(['tokens', command, ...where(), ...words]);
  const runAs = (file: string, words: readonly string[]) =>
    inProcess(withFlags(['tokens', ...words, ...where()], {identity: file}));
  const envelope = (stdout: string, schema: string) => {
    const read = JSON.parse(stdout);
    expect(violations(read, schemaNamed('envelope'))).to.deep.equal([]);
    if (schema !== '') expect(violations(read.result, schemaNamed(schema))).to.deep.equal([]);
    return read;
  };
  const joins = async (token: string) => {
    await using cluster = clientOf(server);
    return await cluster.join(joinRequest(token)).then(
      () => true,
      () => false,
    );
  };
  const ids = async (): Promise<string[]> =>
    envelope((await run('ls', '--json')).stdout, 'tokens-ls').result.tokens.map(({id}: {id: string}) => id);

  describe('add', () => {
    it('prints the token alone, so that a script can capture it, and tells people the rest', async () => {
      const {status, stdout, stderr} = await run('add', '--ttl', '5m', '--labels', 'env=prod,team="a b"');
      expect(status).to.equal(0);
      expect(stdout).to.match(/^[0-9a-f]{32}\n$/);
      expect(stderr).to.contain(`agentless join openssh --proxy-server ${server.proxy} --token-file FILE`);
      expect(stderr).to.not.include(stdout.trim());
      expect(await joins(stdout.trim())).to.equal(true);
      const {result} = envelope((await run('ls', '--json')).stdout, 'tokens-ls');
      const mine = result.tokens.find(({id}: {id: string}) => stdout.startsWith(id));
      expect(mine).to.deep.include({secret: true, roles: ['Node'], labels: {env: 'prod', team: 'a b'}});
      expect(Date.parse(mine.expires) - Date.now()).to.be.within(295_000, 301_000);
    });

    it('has the token in the result of --json, which is what it is for', async () => {
      const {stdout, stderr} = await run('add', '--json');
      expect(stderr).to.equal('');
      const {changed, result} = envelope(stdout, 'tokens-add');
      expect(changed).to.equal(true);
      expect(result).to.include({cluster: server.name, proxy: server.proxy}).and.not.have.property('file');
      expect(await joins(result.token)).to.equal(true);
      expect(Date.parse(result.expires) - Date.now()).to.be.within(1_790_000, 1_801_000);
    });

    it('prints an object as tctl does', async () => {
      const {stdout, stderr} = await run('add', '--format', 'json');
      const {token, roles, expires, ...rest} = JSON.parse(stdout);
      expect({roles, rest}).to.deep.equal({roles: ['Node'], rest: {}});
      expect(Date.parse(expires)).to.be.greaterThan(Date.now());
      expect(await joins(token)).to.equal(true);
      expect(stderr).to.equal('');
    });

    it('writes it into a file that nobody else reads, and nowhere else', async () => {
      const out = join(directory, 'node.token');
      writeFileSync(out, 'an old one', {mode: 0o644});
      const {status, stdout, stderr} = await run('add', '--out', out);
      expect({status, stdout}).to.deep.equal({status: 0, stdout: ''});
      const token = readFileSync(out, 'utf8');
      expect(token).to.match(/^[0-9a-f]{32}\n$/);
      expect(statSync(out).mode & 0o777).to.equal(0o600);
      expect(stderr).to.contain(`--token-file ${out}`).and.not.include(token.trim());
      expect(await joins(token.trim())).to.equal(true);
      const json = await run('add', '--out', out, '--json');
      const {result} = envelope(json.stdout, 'tokens-add');
      expect(result).to.include({file: out}).and.not.have.property('token');
      expect(json.stdout).to.not.include(readFileSync(out, 'utf8').trim());
      await run('add', '--out', out, '--format', 'json');
      expect(JSON.parse(readFileSync(out, 'utf8')).token).to.match(/^[0-9a-f]{32}$/);
      expect(readdirSync(directory).filter((name) => name.startsWith('node.token'))).to.deep.equal([
        'node.token',
      ]);
    });

    it('makes no token when the file could not be written', async () => {
      const [folder, link] = [join(directory, 'folder'), join(directory, 'link')];
      mkdirSync(folder);
      symlinkSync(join(directory, 'elsewhere'), link);
      const before = await ids();
      for (const out of [join(directory, 'no', 'such', 'file'), folder, link]) {
        const {status, stderr} = await run('add', '--out', out);
        expect({status, stderr}, out).to.include({status: 2});
        expect(stderr).to.match(/^error: cannot write /);
      }
      expect(await ids()).to.deep.equal(before);
    });

    it('leaves the file alone, and nothing beside it, when the cluster refuses', async () => {
      const out = join(directory, 'kept');
      writeFileSync(out, 'an old one');
      hooks.testOnlyCall = (name) => (name.endsWith('CreateTokenV2') ? {code: 7, message: 'no'} : undefined);
      expect((await run('add', '--out', out)).status).to.equal(4);
      expect(readFileSync(out, 'utf8')).to.equal('an old one');
      expect(readdirSync(directory).filter((name) => name.startsWith('kept'))).to.deep.equal(['kept']);
    });

    const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
      ['a duration that is none', ['--ttl', 'soon'], /--ttl wants a duration/],
      ['a duration without end', ['--ttl', '99999999999h'], /--ttl wants a duration/],
      ['labels that are none', ['--labels', 'env'], /is not name=value/],
      ['another type', ['--type', 'proxy'], /--type/],
      ['a value of one’s own', ['--value', 'x'], /nonexistent flag: --value/],
    ];
    for (const [what, words, says] of wrong) {
      it(`refuses ${what}`, async () => {
        const before = await ids();
        const {status, stderr} = await run('add', ...words);
        expect(status).to.equal(2);
        expect(stderr).to.match(says);
        expect(await ids()).to.deep.equal(before);
      });
    }
  });

  describe('ls', () => {
    it('shows type, end and labels, and of a secret its first characters only', async () => {
      server.addToken({roles: ['Node', 'Proxy'], value: VALUE});
      server.addToken({roles: ['Node'], value: 'ec2-fleet', joinMethod: 'ec2', ttlSeconds: 60});
      for (const words of [[], ['--json']]) {
        const {status, stdout, stderr} = await run('ls', ...words);
        expect(status).to.equal(0);
        expect(stdout + stderr)
          .to.not.include(VALUE)
          .and.not.include(server.token);
      }
      const {stdout} = await run('ls');
      expect(stdout).to.match(/^ec2-fleet {2}node \(ec2\) {2}until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ$/m);
      expect(stdout).to.match(/^e92faee4… {2}node,proxy {2}until deleted$/m);
      const {changed, result} = envelope((await run('ls', '--json')).stdout, 'tokens-ls');
      expect(changed).to.equal(false);
      const mine = result.tokens.find(({id}: {id: string}) => id === 'e92faee4');
      expect(mine).to.deep.equal({
        id: 'e92faee4',
        secret: true,
        roles: ['Node', 'Proxy'],
        joinMethod: 'token',
        labels: {},
      });
      server.removeToken('ec2-fleet');
    });

    it('takes the proxy and the identity from the environment, and a directory of tbot', async () => {
      const output = join(directory, 'tbot');
      tbotOutput(output, readFileSync(identity, 'utf8'));
      const env = {AGENTLESS_PROXY_SERVER: server.proxy, AGENTLESS_IDENTITY: output};
      const {status, stdout} = await inProcess(['tokens', 'ls', '--ca-file', server.caFile], {env});
      expect(status).to.equal(0);
      expect(stdout).to.contain(server.token.slice(0, 8));
    });

    it('says so when there is none', async () => {
      await using empty = await temporaryCluster();
      empty.removeToken(empty.token);
      const own = join(directory, 'empty.id');
      writeFileSync(own, await empty.identity(ALICE), {mode: 0o600});
      const words = [
        'tokens',
        'ls',
        '--proxy-server',
        empty.proxy,
        '--ca-file',
        empty.caFile,
        '--identity',
        own,
      ];
      expect(await inProcess(words)).to.deep.equal({status: 0, stdout: '', stderr: 'no tokens\n'});
    });
  });

  describe('rm', () => {
    it('deletes by the characters that ls shows', async () => {
      server.addToken({roles: ['Node'], value: VALUE});
      expect(await run('rm', 'e92faee4')).to.deep.equal({
        status: 0,
        stdout: 'deleted e92faee4\n',
        stderr: '',
      });
      expect(await ids()).to.not.include('e92faee4');
      const again = await run('rm', 'e92faee4', '--json');
      expect(again.status).to.equal(4);
      expect(envelope(again.stdout, '').error).to.include({
        code: 'REQUEST_REFUSED',
        message: 'the cluster has no such token',
      });
    });

    it('deletes by a value in a file', async () => {
      server.addToken({roles: ['Node'], value: VALUE});
      const file = join(directory, 'value');
      writeFileSync(file, `${VALUE}\n`);
      const {status, stdout} = await run('rm', '--token-file', file, '--json');
      expect(status).to.equal(0);
      const {changed, result, warnings} = envelope(stdout, 'tokens-rm');
      expect({changed, result, warnings}).to.deep.equal({
        changed: true,
        result: {id: 'e92faee4'},
        warnings: [],
      });
      expect(await ids()).to.not.include('e92faee4');
    });

    it('deletes by a value on standard input, which is not shown', async () => {
      server.addToken({roles: ['Node'], value: VALUE});
      const {status, stdout, stderr} = await agentless(['tokens', 'rm', '-', ...where()], {
        input: `${VALUE}\n`,
      });
      expect({status, stdout, stderr}).to.deep.equal({status: 0, stdout: 'deleted e92faee4\n', stderr: ''});
      const again = await agentless(['tokens', 'rm', ...where(), '-'], {input: `${VALUE}\n`});
      expect(again.status).to.equal(4);
      expect(again.stdout + again.stderr)
        .to.contain('no such token')
        .and.not.include(VALUE);
    });

    it('takes a whole value as an argument, and warns of it without repeating it', async () => {
      server.addToken({roles: ['Node'], value: VALUE});
      const {status, stdout, stderr} = await run('rm', VALUE);
      expect({status, stdout}).to.deep.equal({status: 0, stdout: 'deleted e92faee4\n'});
      expect(stderr).to.equal('warn:  a token on the command line can be read by every user of this host\n');
      const gone = await run('rm', VALUE, '--json');
      expect(gone.status).to.equal(4);
      expect(gone.stdout + gone.stderr).to.not.include(VALUE);
    });

    it('wants one of NAME and --token-file', async () => {
      for (const words of [[], ['x', '--token-file', identity]]) {
        const {status, stderr} = await run('rm', ...words);
        expect(status).to.equal(2);
        expect(stderr).to.match(/^error: tokens rm wants either a NAME or --token-file\nhint: /);
      }
    });
  });

  describe('every one of them', () => {
    const commands = [['add'], ['ls'], ['rm', 'e92faee4']] as const;

    it('wants to know where and as whom', async () => {
      for (const words of commands) {
        const nowhere = await inProcess(['tokens', ...words, '--identity', identity]);
        expect(nowhere.stderr).to.match(/^error: --proxy-server is missing\nhint:.*AGENTLESS_PROXY_SERVER/);
        const nobody = await inProcess(['tokens', ...words, '--proxy-server', server.proxy]);
        expect(nobody.stderr).to.match(/^error: --identity is missing\nhint:.*AGENTLESS_IDENTITY/);
        expect([nowhere.status, nobody.status]).to.deep.equal([2, 2]);
      }
    });

    it('shows the role that is missing', async () => {
      const bob = join(directory, 'bob.id');
      writeFileSync(bob, await server.identity({user: 'bob', roles: ['access'], ttlSeconds: 60}), {
        mode: 0o600,
      });
      for (const words of commands) {
        const {status, stderr} = await runAs(bob, words);
        expect(status).to.equal(4);
        expect(stderr).to.match(/^error: bob may not (make a token|list tokens): no role allows token: /);
        expect(stderr).to.match(/^ {7}kind: role\n {7}version: v7\n {7}metadata: \{name: agentless-token-/m);
        const json = await runAs(bob, [...words, '--json']);
        expect(envelope(json.stdout, '').error.hint).to.contain('kind: role\nversion: v7\n');
      }
    });

    it('explains that a second factor is wanted', async () => {
      hooks.testOnlyMfa = true;
      const carol = join(directory, 'carol.id');
      const text = await server.identity({...ALICE, user: 'carol', bySelf: true});
      writeFileSync(carol, text, {mode: 0o600});
      for (const words of commands) {
        const {status, stderr} = await runAs(carol, words);
        expect(status).to.equal(4);
        expect(stderr).to.match(/^error: the cluster wants a second factor of carol/);
      }
    });

    it('warns of an identity that others can read, and uses it', async () => {
      const open = join(directory, 'open.id');
      writeFileSync(open, readFileSync(identity), {mode: 0o644});
      const {status, stderr} = await runAs(open, ['ls']);
      expect(status).to.equal(0);
      expect(stderr).to.contain(`warn:  ${open} is open to others (mode 0644)`);
      const json = await runAs(open, ['ls', '--json']);
      expect(envelope(json.stdout, 'tokens-ls').warnings).to.have.length(1);
      expect(json.stderr).to.equal('');
    });

    it('refuses an identity of another cluster, one that has expired, one that is none', async () => {
      const file = join(directory, 'other.id');
      const cases = [
        [await identityText(directory, {name: 'other.example'}), 2, /is for the cluster other\.example/],
        [await server.identity({...ALICE, ttlSeconds: -60}), 4, /has expired on/],
        ['nothing', 2, /is not an identity file/],
      ] as const;
      for (const [text, expected, says] of cases) {
        writeFileSync(file, text, {mode: 0o600});
        for (const words of commands) {
          const {status, stderr} = await runAs(file, words);
          expect({status, stderr}).to.include({status: expected});
          expect(stderr).to.match(says);
        }
      }
    });

    it('says what --insecure means here, and trusts nobody else', async () => {
      const words = ['--proxy-server', server.proxy, '--identity', identity];
      const {status, stderr} = await inProcess(['tokens', 'ls', ...words, '--insecure']);
      expect(status).to.equal(0);
      expect(stderr).to.match(
        /^warn: {2}the certificate of .* is not verified \(--insecure\); the auth service/,
      );
      const strict = await inProcess(['tokens', 'ls', ...words]);
      expect(strict.status).to.equal(5);
      const pinned = await run('ls', '--ca-pin', `sha256:${'0'.repeat(64)}`);
      expect(pinned.status).to.equal(5);
      expect((await run('ls', '--ca-pin', server.caPin)).status).to.equal(0);
    });

    it('says that nobody answers', async () => {
      const words = ['--proxy-server', '127.0.0.1:1', '--identity', identity, '--timeout', '1', '--json'];
      const {status, stdout} = await inProcess(['tokens', 'ls', ...words]);
      expect(status).to.equal(5);
      expect(envelope(stdout, '').error.code).to.equal('CLUSTER_UNREACHABLE');
    });

    it('ends at a signal', async () => {
      hooks.testOnlyCall = () => {
        setImmediate(() => process.emit('SIGTERM', 'SIGTERM'));
        return {code: 14, message: 'not now'};
      };
      expect((await run('ls')).status).to.equal(130);
    });
  });
});

describe('cluster identity', () => {
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'agentless-cluster-'));
  });
  after(() => rmSync(directory, {recursive: true}));

  it('writes an identity of a cluster that need not run, and replaces none unless told', async () => {
    const server = await temporaryCluster({dir: join(directory, 'c')});
    await server.close();
    const out = join(directory, 'admin.id');
    const words = ['cluster', 'identity', '--dir', server.dir, '--out', out];
    expect(await inProcess(words)).to.deep.equal({status: 0, stdout: `${out}\n`, stderr: ''});
    expect(statSync(out).mode & 0o777).to.equal(0o600);
    const first = readFileSync(out, 'utf8');
    const again = await inProcess(words);
    expect(again).to.deep.equal({
      status: 2,
      stdout: '',
      stderr: `error: ${out} exists already\nhint:  replace it with --overwrite\n`,
    });
    expect(readFileSync(out, 'utf8')).to.equal(first);
    const {status, stdout} = await inProcess([
      ...words,
      '--overwrite',
      '--user',
      'bob',
      '--ttl',
      '1h',
      '--json',
    ]);
    expect(status).to.equal(0);
    expect(violations(JSON.parse(stdout).result, schemaNamed('cluster-identity'))).to.deep.equal([]);
    const {parseIdentity} = await import('../../../src/cluster/identity-file.js');
    const {user, expires} = parseIdentity(readFileSync(out, 'utf8'), out);
    expect(user).to.equal('bob');
    expect(expires.getTime() - Date.now()).to.be.within(3_590_000, 3_601_000);
    await using running = await temporaryCluster({dir: server.dir});
    const where = ['--proxy-server', running.proxy, '--ca-file', running.caFile, '--identity', out];
    expect((await inProcess(['tokens', 'ls', ...where])).status).to.equal(0);
  });

  it('refuses roles that there are not, and places where it cannot write', async () => {
    const server = await temporaryCluster({dir: join(directory, 'd')});
    await server.close();
    const out = join(directory, 'none.id');
    const words = ['cluster', 'identity', '--dir', server.dir, '--out', out];
    const unknown = await inProcess([...words, '--roles', 'editor,root']);
    expect(unknown.stderr).to.match(
      /^error: the development cluster has no role "root"\nhint: {2}it has editor, /,
    );
    const system = await inProcess([...words, '--roles', 'Node']);
    const none = await inProcess([...words, '--roles', '']);
    const nobody = await inProcess([...words, '--user', '']);
    const nowhere = await inProcess(['cluster', 'identity', '--dir', directory, '--out', out]);
    const unwritable = await inProcess([...words, '--out', join(directory, 'no', 'such')]);
    for (const {status} of [unknown, system, none, nobody, nowhere, unwritable]) expect(status).to.equal(2);
    expect(existsSync(out)).to.equal(false);
  });
});
