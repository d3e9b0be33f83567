import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {expect} from 'chai';
import {AuthService} from '../../src/cluster/gen/auth_pb.js';
import {
  type ClusterOptions,
  type DevCluster,
  login,
  nodes,
  startCluster,
} from '../../src/devcluster/index.js';
import {Failure} from '../../src/errors.js';
import {parseCertificate, verifySignature} from '../../src/ssh/certificate.js';
import {parsePublicKey} from '../../src/ssh/key.js';
import {
  dialAuth,
  GrpcClient,
  joinFields,
  newHostKeys,
  postJoin,
  readJoin,
  request,
} from '../support/raw-client.js';

// What lies on disk, what survives a restart, and the commands.

const BIN = new URL('../../src/main.ts', import.meta.url).pathname;

describe('embedded cluster: state and commands', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'devcluster-'));
  });
  const started: DevCluster[] = [];
  afterEach(async () => {
    for (const cluster of started.splice(0)) await cluster.close();
    rmSync(dir, {recursive: true, force: true});
  });
  const start = async (options: Partial<ClusterOptions> = {}) => {
    const cluster = await startCluster({dir: join(dir, 'state'), lag: false, limits: false, ...options});
    started.push(cluster);
    return cluster;
  };

  it('keeps authorities, nodes, tokens and addresses over a restart', async () => {
    const keys = newHostKeys();
    const hostId = randomUUID();
    const first = await start({name: 'kept.example', suite: 'fips-v1'});
    const lasting = first.addToken({roles: ['Node'], ttlSeconds: 600});
    first.addToken({roles: ['Node'], ttlSeconds: -1, value: 'expired'});
    const joined = readJoin(await postJoin(first, joinFields(first.token, keys, hostId)));
    const identity = {cert: joined.tls, key: keys.tls.export({type: 'pkcs8', format: 'pem'})};
    const auth = new GrpcClient(await dialAuth(first, identity));
    const spec = {addr: '10.0.0.5:22', hostname: 'db1'};
    const metadata = {name: hostId, labels: {env: 'lab'}};
    await auth.call(AuthService.method.upsertNode, {kind: 'node', subKind: 'openssh', metadata, spec});
    await first.close();

    const second = await start();
    expect(second).to.include({
      name: 'kept.example',
      proxy: first.proxy,
      auth: first.auth,
      caPin: first.caPin,
    });
    expect(second.token).not.to.equal(first.token);
    expect(second.nodes()).to.eql([
      {id: hostId, hostname: 'db1', address: '10.0.0.5:22', labels: {env: 'lab'}, subKind: 'openssh'},
    ]);
    for (const token of [lasting, first.token, second.token]) {
      expect((await postJoin(second, joinFields(token, keys, hostId))).status).to.equal(200);
    }
    expect((await postJoin(second, joinFields('expired', keys, hostId))).status).to.equal(403);
    const again = new GrpcClient(await dialAuth(second, identity));
    const node = await again.call(AuthService.method.getNode, {name: hostId, namespace: 'default'});
    expect(node.spec?.rotation?.lastRotated?.seconds).to.equal(-62135596800n);
    again.close();
    await second.close();
  });

  it('takes another port when the old one is taken, and another cluster never', async () => {
    const first = await start();
    const second = await start({dir: join(dir, 'other'), listen: '127.0.0.1:0'});
    await second.close();
    const squatter = await start({dir: join(dir, 'third'), listen: second.proxy});
    const moved = await start({dir: join(dir, 'other')});
    expect(moved.proxy).not.to.equal(second.proxy);
    const taken = await start({dir: join(dir, 'fourth'), listen: squatter.proxy}).catch((error) => error);
    expect(taken).to.be.instanceOf(Failure).and.include({code: 'USAGE'});
    await first.close();
    const renamed = await start({name: 'other.example'}).catch((error) => error);
    expect(renamed).to.be.instanceOf(Failure).and.include({code: 'USAGE'});
  });

  it('is private on disk', async () => {
    const cluster = await start();
    expect(statSync(cluster.dir).mode & 0o777).to.equal(0o700);
    for (const name of readdirSync(cluster.dir)) {
      expect(statSync(join(cluster.dir, name)).mode & 0o777, name).to.equal(0o600);
    }
    await cluster.close();
  });

  it('has a name that can be one of a host', async () => {
    for (const name of ['', 'two words', 'a/b', 'dévelopment']) {
      const error = await start({name, dir: join(dir, 'nameless')}).catch((reason) => reason);
      expect(error, name).to.be.instanceOf(Failure).and.include({code: 'USAGE'});
      expect(error.hint, name).to.include('--name');
    }
  });

  it('does not take the directory it is started in for its own', async () => {
    const error = await start({dir: ''}).catch((reason) => reason);
    expect(error).to.be.instanceOf(Failure).and.include({code: 'USAGE', hint: 'name one with --dir'});
  });

  it('listens on loopback only', async () => {
    for (const listen of [
      '0.0.0.0:0',
      '[::]:0',
      '10.0.0.5:0',
      'example.com:0',
      '127.0.0.1',
      '127.0.0.1:x',
      ':0',
    ]) {
      const error = await start({listen}).catch((reason) => reason);
      expect(error, listen).to.be.instanceOf(Failure).and.include({code: 'USAGE'});
      expect(error.hint, listen).to.include('127.0.0.1:');
    }
    const cluster = await start({listen: 'localhost:0'});
    expect(cluster.proxy).to.match(/^localhost:\d+$/);
    expect((await request(cluster, '/webapi/find')).status).to.equal(200);
    await cluster.close();
  });

  it('plays another version', async () => {
    const cluster = await start({version: '16.4.12'});
    const body = JSON.parse((await request(cluster, '/webapi/find')).body);
    expect([body.server_version, body.min_client_version]).to.eql(['16.4.12', '15.0.0-aa']);
    const fields = JSON.parse((await request(cluster, '/webapi/x')).body).fields;
    expect(fields.proxyVersion).to.include({major: 16, minor: 4, patch: 12, string: '16.4.12'});
    await cluster.close();
  });

  it('mints what a proxy would present', async () => {
    const cluster = await start({suite: 'hsm-v1'});
    const request = {
      logins: ['root', 'alice'],
      user: 'alice@example.com',
      roles: ['access', 'dev'],
      ttlSeconds: 600,
    };
    for (const made of [await cluster.login(request), await login(cluster.dir, request)]) {
      const certificate = parseCertificate(made.certificate);
      expect(certificate).to.include({type: 'user', keyId: 'alice@example.com', serial: 0n});
      expect(certificate.principals).to.eql(['root', 'alice', '-teleport-internal-join']);
      expect(certificate.validBefore - certificate.validAfter).to.equal(660n);
      expect(verifySignature(certificate)).to.equal(true);
      const exported = (await fetchOpenssh(cluster)).replace(/^cert-authority /, '');
      expect(Buffer.from(certificate.authority).equals(parsePublicKey(exported).blob)).to.equal(true);
      expect(certificate.extensions.get('teleport-roles')).to.equal('{"roles":["access","dev"]}');
    }
    const real = parseCertificate(
      readFileSync(
        new URL('../golden/teleport-18.0.0/balanced-v1/user-cert-alice.pub', import.meta.url),
        'utf8',
      ),
    );
    const alice = await cluster.login({
      logins: ['root', 'alice'],
      user: 'alice',
      roles: ['access', 'editor'],
      ttlSeconds: 60,
    });
    const ours = parseCertificate(alice.certificate);
    expect([...ours.extensions]).to.eql(
      [...real.extensions].map(([name, value]) => [name, value.replaceAll('bal.lab.test', 'dev.example')]),
    );
    expect(ours.principals).to.eql(real.principals);
    await cluster.close();
  });

  const fetchOpenssh = async (cluster: {proxy: string; caFile: string}) =>
    (await request(cluster, '/webapi/auth/export?type=openssh')).body;

  describe('commands', () => {
    const run = (...args: string[]): ChildProcess =>
      spawn(process.execPath, ['--import', 'tsx', '--eval', SCRIPT, '--', ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    const SCRIPT = `import(${JSON.stringify(BIN)}).then(({main}) => main(process.argv.slice(1)))`;

    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      it(`cluster start prints one line of JSON, warns, and ends with 0 on ${signal}`, async () => {
        const child = run('cluster', 'start', '--dir', join(dir, 'cli'), '--no-lag', '--no-limits');
        const said: string[] = [];
        child.stderr?.on('data', (chunk) => said.push(String(chunk)));
        const lines: string[] = [];
        const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
        const output = createInterface({input: child.stdout ?? expect.fail()});
        await new Promise<void>((resolve) =>
          output.on('line', (line) => {
            lines.push(line);
            resolve();
          }),
        );
        const ready = JSON.parse(lines[0] ?? '');
        expect(Object.keys(ready)).to.eql(['cluster', 'proxy', 'auth', 'ca_file', 'ca_pin', 'token', 'dir']);
        const answer = await request({proxy: ready.proxy, caFile: ready.ca_file}, '/webapi/find');
        expect(answer.status).to.equal(200);
        child.kill(signal);
        expect(await exited).to.equal(0);
        expect(lines).to.have.length(1);
        expect(said.join('')).to.include('for development');
      });
    }

    const finish = (child: ChildProcess) => {
      const [out, err]: [string[], string[]] = [[], []];
      child.stdout?.on('data', (chunk) => out.push(String(chunk)));
      child.stderr?.on('data', (chunk) => err.push(String(chunk)));
      return new Promise<{code: number | null; out: string; err: string}>((resolve) =>
        child.on('close', (code) => resolve({code, out: out.join(''), err: err.join('')})),
      );
    };

    it('cluster login and nodes work on the directory of a cluster that does not run', async () => {
      const cluster = await start();
      await cluster.close();
      const out = join(dir, 'id');
      const args = [
        '--dir',
        cluster.dir,
        '--login',
        'root',
        '--user',
        'bob',
        '--roles',
        'a,b',
        '--ttl',
        '5m',
        '--out',
        out,
      ];
      const made = await finish(run('cluster', 'login', ...args));
      expect(made.code, made.err).to.equal(0);
      expect(statSync(out).mode & 0o777).to.equal(0o600);
      const shown = execFileSync('ssh-keygen', ['-L', '-f', `${out}-cert.pub`], {encoding: 'utf8'});
      expect(shown)
        .to.include('user certificate')
        .and.include('Key ID: "bob"')
        .and.match(/^ +root$/m);
      // The private key is the certificate's.
      const [type, blob] = execFileSync('ssh-keygen', ['-y', '-f', out], {encoding: 'utf8'}).split(' ');
      expect(type).to.equal('ssh-ed25519');
      const {key} = parseCertificate(readFileSync(`${out}-cert.pub`, 'utf8'));
      expect(Buffer.from(key).toString('base64')).to.equal(blob?.trim());

      const listed = await finish(run('cluster', 'nodes', '--dir', cluster.dir, '--json'));
      expect(JSON.parse(listed.out)).to.include({command: 'cluster nodes', status: 0, changed: false});
      expect(JSON.parse(listed.out).result.nodes).to.eql(nodes(cluster.dir));
    });

    it('cluster login refuses a directory without a cluster, and a senseless ttl', async () => {
      const bare = await finish(
        run('cluster', 'login', '--dir', dir, '--login', 'root', '--out', join(dir, 'id')),
      );
      expect([bare.code, bare.err.split('\n')[0]]).to.eql([2, `error: no development cluster in ${dir}`]);
      for (const ttl of ['0m', '10', 'soon', '1m1']) {
        const args = ['--dir', dir, '--login', 'root', '--out', join(dir, 'id'), '--ttl', ttl];
        const wrong = await finish(run('cluster', 'login', ...args));
        expect([wrong.code, wrong.err.includes('--ttl')], ttl).to.eql([2, true]);
      }
    });
  });
});
