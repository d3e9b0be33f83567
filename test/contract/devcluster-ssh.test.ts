import {execFileSync, spawnSync} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir, userInfo} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import type {SignatureSuite} from '../../src/cluster/cluster.js';
import {findSshd, makePrivsepDirectory} from '../../src/demo/private-sshd.js';
import {writeLogin} from '../../src/devcluster/index.js';
import {generateKey, opensshPrivateKey} from '../../src/ssh/key.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {joinFields, newHostKeys, postJoin, readJoin, request} from '../support/raw-client.js';

// The cluster's certificates before a real sshd and a real ssh client, in every suite: a strict client that knows only
// the host authority gets in with what `cluster login` makes. `sshd -i` serves one connection on a pipe.

const SSHD = process.env['SSHD'] ?? findSshd();
const LOGIN = userInfo().username;

for (const suite of [
  'balanced-v1',
  'fips-v1',
  'hsm-v1',
  'legacy',
] as const satisfies readonly SignatureSuite[]) {
  describe(`embedded cluster: a real login, ${suite}`, () => {
    let dir: string;
    let cluster: TemporaryCluster;

    before(async () => {
      makePrivsepDirectory();
      dir = mkdtempSync(join(tmpdir(), 'devcluster-ssh-'));
      cluster = await temporaryCluster({suite, name: 'login.example'});
      await writeHost();
      const login = await cluster.login({logins: [LOGIN], user: 'alice', roles: ['access'], ttlSeconds: 300});
      writeLogin(join(dir, 'id'), login);
    });
    after(async () => {
      await cluster?.stop();
      if (dir !== undefined) rmSync(dir, {recursive: true, force: true});
    });

    /** A host key with the certificate of a join, the exported authorities, and a configuration of nothing else. */
    async function writeHost(): Promise<void> {
      const keys = {...newHostKeys(), ssh: generateKey('ed25519')};
      const fields = {...joinFields(cluster.token, keys, randomUUID()), node_name: 'web1'};
      const joined = readJoin(await postJoin(cluster, fields));
      const put = (name: string, text: string) => writeFileSync(join(dir, name), text, {mode: 0o600});
      const exported = async (type: string) =>
        (await request(cluster, `/webapi/auth/export?type=${type}`)).body;
      put('host', await opensshPrivateKey(keys.ssh));
      put('host-cert.pub', `${joined.ssh}\n`);
      put('user-ca', (await exported('openssh')).replace(/^cert-authority /gm, ''));
      // The exported pattern names the cluster; clients also dial the bare name.
      put('known_hosts', (await exported('host')).replace('login.example,', 'web1,login.example,'));
      put(
        'sshd_config',
        ['host', 'host-cert.pub', 'user-ca']
          .map((name, index) => {
            const keyword = ['HostKey', 'HostCertificate', 'TrustedUserCAKeys'][index];
            return `${keyword} ${join(dir, name)}\n`;
          })
          .join('') +
          'UsePAM no\nPasswordAuthentication no\nAuthorizedKeysFile none\nStrictModes no\nPermitRootLogin yes\n',
      );
    }

    const ssh = (host: string, identity = 'id') =>
      spawnSync(
        'ssh',
        [
          ...[
            '-F',
            '/dev/null',
            '-o',
            'BatchMode=yes',
            '-o',
            'StrictHostKeyChecking=yes',
            '-o',
            'IdentitiesOnly=yes',
          ],
          ...['-o', `UserKnownHostsFile=${join(dir, 'known_hosts')}`, '-o', 'GlobalKnownHostsFile=/dev/null'],
          ...['-o', `ProxyCommand=${SSHD} -i -f ${join(dir, 'sshd_config')}`, '-i', join(dir, identity)],
          ...[`${LOGIN}@${host}`, 'echo', 'in'],
        ],
        {encoding: 'utf8'},
      );

    it('lets the login in, by every name', () => {
      for (const host of ['web1', 'web1.login.example']) {
        const {status, stdout, stderr} = ssh(host);
        expect([status, stdout], stderr).to.eql([0, 'in\n']);
      }
    });

    it('is refused by a strict client under a name that is not certified', () => {
      const {status, stderr} = ssh('other.login.example');
      expect(status, stderr).to.equal(255);
      expect(stderr).to.include('Host key verification failed');
    });

    it('does not let in who has no certificate', () => {
      writeFileSync(join(dir, 'bare'), readFileSync(join(dir, 'id')), {mode: 0o600});
      const {status, stderr} = ssh('web1', 'bare');
      expect([status, stderr.includes('Permission denied')], stderr).to.eql([255, true]);
    });

    it('prints as ssh-keygen prints the real one', () => {
      const show = (file: string) =>
        execFileSync('ssh-keygen', ['-L', '-f', file], {encoding: 'utf8'})
          .split('\n')
          .slice(1)
          .map((line) =>
            line.replace(/(Type:|key:|CA:|Valid:).*/, '$1').replace(/[0-9a-f]{8}.*\(len \d+\)/, ''),
          )
          .filter((line) => !/^ {16}/.test(line) || /OPTION|permit/.test(line))
          .join('\n');
      const golden = (name: string) =>
        new URL(`../golden/teleport-18.0.0/balanced-v1/${name}`, import.meta.url).pathname;
      expect(show(join(dir, 'host-cert.pub'))).to.equal(show(golden('host-cert.pub')));
      expect(show(join(dir, 'id-cert.pub'))).to.equal(show(golden('user-cert-alice.pub')));
    });
  });
}
