import {existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {login, startCluster} from '../../../src/devcluster/index.js';
import {parseCertificate} from '../../../src/ssh/certificate.js';
import {clientOf, joined} from '../../support/cluster-client.js';
import {inProcess} from '../../support/in-process.js';
import {schemaNamed, violations} from '../../support/json-schema.js';

describe('cluster', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'agentless-cluster-'));
  });
  afterEach(() => rmSync(dir, {recursive: true, force: true}));

  const result = (stdout: string, schema: string) => {
    const envelope = JSON.parse(stdout);
    expect(violations(envelope, schemaNamed('envelope'))).to.deep.equal([]);
    expect(violations(envelope.result, schemaNamed(schema))).to.deep.equal([]);
    return envelope;
  };

  describe('start', () => {
    /** Starts one, does something with the line that says where it is, and ends it by a signal. */
    async function started<T>(words: readonly string[], visit: (line: Record<string, string>) => Promise<T>) {
      let visited: Promise<T> | undefined;
      const run = await inProcess(['cluster', 'start', '--dir', dir, ...words], {
        onOutput: (text) => {
          const line = /^\{.*\}$/m.exec(text)?.[0];
          if (line === undefined || visited !== undefined) return;
          visited = visit(JSON.parse(line));
          const end = () => process.emit('SIGTERM', 'SIGTERM');
          visited.then(end, end);
        },
      });
      return {run, value: await visited};
    }

    it('says where it is in one line of JSON when it is ready, and ends well at SIGTERM', async () => {
      const words = [
        '--name',
        'test.example',
        '--suite',
        'fips-v1',
        '--listen',
        '127.0.0.1:0',
        '--no-lag',
        '--no-limits',
      ];
      const {run, value} = await started(words, async (line) => {
        const server = {
          proxy: line['proxy'] ?? '',
          caFile: line['ca_file'] ?? '',
          token: line['token'] ?? '',
        };
        await using cluster = clientOf(server);
        const info = await cluster.describe();
        return {line, info, identity: (await joined(server)).identity};
      });
      expect(run.status).to.equal(0);
      expect(Object.keys(value?.line ?? {})).to.deep.equal([
        'cluster',
        'proxy',
        'auth',
        'ca_file',
        'ca_pin',
        'token',
        'dir',
      ]);
      expect(run.stdout).to.equal(`${JSON.stringify(value?.line)}\n`);
      expect(run.stderr).to.match(/^development cluster test\.example on 127\.0\.0\.1:\d+: for development/);
      expect(value?.info).to.include({name: 'test.example', suite: 'fips-v1'});
      expect(value?.identity.cluster).to.equal('test.example');
      expect(statSync(dir).mode & 0o777).to.equal(0o700);
    });

    it('finds everything again, and keeps its name', async () => {
      const first = await started([], async (line) => line);
      const again = await started([], async (line) => line);
      for (const key of ['cluster', 'proxy', 'auth', 'ca_pin', 'dir']) {
        expect(again.value?.[key], key).to.equal(first.value?.[key]);
      }
      expect(again.value?.['cluster']).to.equal('dev.example');
      const renamed = await inProcess(['cluster', 'start', '--dir', dir, '--name', 'other.example']);
      expect(renamed.status).to.equal(2);
      expect(renamed.stderr).to.match(/holds the cluster dev\.example/);
    });

    it('ends at once when the signal has come before it was ready', async () => {
      const {status} = await inProcess(['cluster', 'start', '--dir', dir], {
        onOutput: (text) => {
          if (text.startsWith('development cluster')) process.emit('SIGINT', 'SIGINT');
        },
      });
      expect(status).to.equal(0);
    });

    it('refuses to be reached from elsewhere, a port that is taken, a directory that is none', async () => {
      const taken = createServer();
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
      const address = taken.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const file = join(dir, 'file');
      writeFileSync(file, '');
      const cases: readonly (readonly [words: readonly string[], says: RegExp])[] = [
        [['--dir', dir, '--listen', '0.0.0.0:0'], /listens on loopback only/],
        [['--dir', dir, '--listen', `127.0.0.1:${port}`], /^error: cannot listen on 127\.0\.0\.1/],
        [['--dir', file], /^error: \S+ cannot be made a directory of the cluster/],
      ];
      try {
        for (const [words, says] of cases) {
          const {status, stdout, stderr} = await inProcess(['cluster', 'start', ...words]);
          expect({status, stdout}, stderr).to.deep.equal({status: 2, stdout: ''});
          expect(stderr)
            .to.match(says)
            .and.to.match(/^hint: /m);
        }
      } finally {
        taken.close();
      }
    });
  });

  describe('nodes', () => {
    it('lists the records, for people and for programs', async () => {
      const cluster = await startCluster({dir, lag: false, limits: false});
      const {identity} = await joined(cluster);
      await using client = clientOf(cluster);
      const node = {id: identity.nodeId, hostname: 'web1', address: '10.0.0.5:22', subKind: 'openssh'};
      await client.as(identity).putNode({...node, labels: {env: 'prod', team: 'a b'}});
      await cluster.close();
      const text = await inProcess(['cluster', 'nodes', '--dir', dir]);
      expect(text.stdout).to.equal(`${identity.nodeId}  web1  10.0.0.5:22  env=prod,team=a b\n`);
      const json = await inProcess(['cluster', 'nodes', '--dir', dir, '--json']);
      const envelope = result(json.stdout, 'cluster-nodes');
      expect(envelope).to.deep.include({command: 'cluster nodes', changed: false, status: 0});
      expect(envelope.result.nodes).to.deep.equal([{...node, labels: {env: 'prod', team: 'a b'}}]);
    });

    it('is refused where no cluster has been', async () => {
      const {status, stderr} = await inProcess(['cluster', 'nodes', '--dir', join(dir, 'gone')]);
      expect(status).to.equal(2);
      expect(stderr).to.match(/^error: no development cluster in \S+\nhint: {2}start one first: /);
    });
  });

  describe('login', () => {
    const OUT = ['--login', 'root', '--login', 'deploy'];
    beforeEach(async () => {
      await (await startCluster({dir, lag: false, limits: false})).close();
    });

    it('writes a key and a certificate, for as long and for whom it is told', async () => {
      const out = join(dir, 'id');
      writeFileSync(out, 'an old key', {mode: 0o644});
      const words = ['--user', 'alice', '--roles', 'a,,b', '--ttl', '1h30m10s', '--out', out, '--json'];
      const before = BigInt(Math.floor(Date.now() / 1000));
      const {status, stdout} = await inProcess(['cluster', 'login', '--dir', dir, ...OUT, ...words]);
      const after = BigInt(Math.ceil(Date.now() / 1000));
      expect(status).to.equal(0);
      const envelope = result(stdout, 'cluster-login');
      expect(envelope).to.deep.include({changed: true, result: {key: out, certificate: `${out}-cert.pub`}});
      expect(stdout).to.not.match(/PRIVATE KEY|AAAA/);
      expect(statSync(out).mode & 0o777).to.equal(0o600);
      const certificate = parseCertificate(readFileSync(`${out}-cert.pub`, 'utf8').trim());
      expect(certificate.principals).to.include.members(['root', 'deploy']);
      expect(certificate.keyId).to.equal('alice');
      expect(certificate.validBefore >= before + 5410n && certificate.validBefore <= after + 5410n).to.equal(
        true,
      );
      expect(certificate.extensions.get('teleport-roles')).to.contain('"a","b"');
    });

    it('says to people where the certificate lies, and takes the first login for the user', async () => {
      const out = join(dir, 'id');
      const {stdout} = await inProcess(['cluster', 'login', '--dir', dir, ...OUT, '--out', out]);
      expect(stdout).to.equal(`${out}-cert.pub\n`);
      expect(parseCertificate(readFileSync(`${out}-cert.pub`, 'utf8').trim()).keyId).to.equal('root');
    });

    it('refuses a duration that is none, and a place where it cannot write', async () => {
      for (const ttl of ['', '10', 'm', '0m', '-5m', '10m ', '1h 5m', '10d']) {
        const out = join(dir, 'x');
        const {status, stderr} = await inProcess([
          'cluster',
          'login',
          '--dir',
          dir,
          ...OUT,
          '--out',
          out,
          `--ttl=${ttl}`,
        ]);
        expect({status, made: existsSync(out)}, `${ttl}: ${stderr}`).to.deep.equal({status: 2, made: false});
      }
      const nowhere = join(dir, 'no', 'such', 'id');
      const {status, stderr} = await inProcess(['cluster', 'login', '--dir', dir, ...OUT, '--out', nowhere]);
      expect(status).to.equal(2);
      expect(stderr).to.match(/^error: cannot write .*\n {7}ENOENT.*\nhint: /);
    });

    it('needs no running cluster', async () => {
      const {certificate} = await login(dir, {logins: ['root'], user: 'root', roles: [], ttlSeconds: 60});
      expect(parseCertificate(certificate.trim()).type).to.equal('user');
    });
  });
});
