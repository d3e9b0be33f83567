// What users of Teleport's agentless OpenSSH ask for: host keys, host certificates, names. A scenario each, by the numbers
// of docs/demands.md; those that other tests are already are named there.

import {readFileSync, writeFileSync} from 'node:fs';
import {hostname} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {parseCertificate} from '../../../src/ssh/certificate.js';
import {agentless} from '../../support/cli.js';
import {envelope, Stage} from '../../support/stage.js';

describe('demands: keys, certificates and names', function () {
  this.timeout(60_000);
  this.slow(8000);
  let stage: Stage;

  const run = async (command: string, ...words: string[]) =>
    envelope(await agentless([command, '--data-dir', stage.dataDir, '--json', ...words]));
  /** Without what is known of it already; the token is for those that need one. */
  const joinWith = async (flags: Parameters<Stage['joinWith']>[0], ...words: string[]) =>
    envelope(await stage.joinWith(flags, [...words, '--json']));
  /** The node records as the cluster has them. */
  const records = () => stage.cluster.nodes().map(({id, hostname, address}) => ({id, hostname, address}));
  const logsIn = async (name: string) => (await stage.loginByCertificate(name)).stdout === 'hello\n';
  const record = () => join(stage.dataDir, 'record.json');
  const joinedAs = (name: string) =>
    writeFileSync(record(), readFileSync(record(), 'utf8').replace(/"host": "[^"]*"/, `"host": "${name}"`));

  describe('before a join', () => {
    before(async () => {
      stage = await Stage.quick();
    });
    after(() => stage.stop());

    it('45: the join advises a name in lower case', async () => {
      const [loud, quiet] = await Promise.all([
        joinWith({hostname: 'WEB1'}, '--dry-run'),
        joinWith({}, '--dry-run'),
      ]);
      expect(loud.warnings.join('\n')).to.match(/^WEB1 has capitals, .*--hostname web1 /m);
      expect(quiet.warnings.join('\n')).to.not.include('capitals');
    });

    it('53b: an address that nobody else can dial is told before it is registered', async () => {
      const addresses = {'127.0.0.1': 'loopback', '172.17.0.2': 'container'};
      for (const [address, kind] of Object.entries(addresses)) {
        const {warnings} = await joinWith({address}, '--dry-run');
        expect(warnings.join('\n'), address).to.match(new RegExp(`^${address}:\\d+ .*${kind}`, 'm'));
      }
    });
  });

  describe('of a joined host', () => {
    before(async () => {
      stage = await Stage.quick();
      const {exit, stderr} = await stage.joinJson();
      expect(exit, stderr).to.equal(0);
    });
    after(() => stage.stop());

    it('36: a client that takes one algorithm of plain host keys only goes on as before', async () => {
      for (const key of stage.sshd.hostKeys) {
        const [algorithm = ''] = key.split(' ');
        const login = await stage.loginByPlainKey(key, [`HostKeyAlgorithms=${algorithm}`]);
        expect(login.stdout, `${algorithm}: ${login.stderr}`).to.equal('hello\n');
      }
    });

    it('48: the certificates carry exactly the names that are shown, and what Auth adds by itself', async () => {
      const {result} = await joinWith({}, '--dry-run');
      const {id} = result.node;
      const names = ['web1', 'web1.dev.example', '127.0.0.1', id, `${id}.dev.example`];
      expect(result.names).to.have.members(names);
      expect(result.certificates).to.have.length(2);
      for (const {file} of result.certificates) {
        const {principals} = parseCertificate(readFileSync(file, 'latin1').trim());
        expect(principals).to.have.members([...names, 'localhost', '::1']);
      }
    });

    it('49: a host that was renamed is told, says so once, and is well', async () => {
      joinedAs('before');
      expect((await run('status')).exit).to.equal(3);
      const {exit, changed, warnings} = await run('renew', '--repair');
      const warned = warnings.join().includes('before');
      expect({exit, changed, warned}).to.deep.equal({exit: 0, changed: true, warned: false});
      expect((await run('status')).exit).to.equal(0);
      expect((await run('renew', '--repair')).changed).to.equal(false);
    });

    it('42: one command renames it: certificates, sshd and node record', async () => {
      const [before] = records();
      expect(await logsIn('web2')).to.equal(false);
      const {exit, changed} = await joinWith({hostname: 'web2', token: undefined});
      expect({exit, changed}).to.deep.equal({exit: 0, changed: true});
      expect(records()).to.deep.equal([{...before, hostname: 'web2'}]);
      for (const name of ['web2', 'web2.dev.example']) expect(await logsIn(name), name).to.equal(true);
      expect((await run('status')).exit).to.equal(0);
    });

    it('44: a name with capitals verifies as ssh lowers it and as tsh does not', async () => {
      const {exit, result, stderr} = await joinWith({hostname: 'WEB1'});
      expect(exit, stderr).to.equal(0);
      expect(result.names).to.include.members(['WEB1', 'web1', 'WEB1.dev.example', 'web1.dev.example']);
      for (const name of ['WEB1', 'web1']) expect(await logsIn(name), name).to.equal(true);
    });

    it('47: whatever address the proxy is to dial is certified, as are others that are named', async () => {
      const address = '10.9.8.7:2222';
      const {exit, stderr} = await joinWith({address}, '--additional-principals', '198.51.100.7');
      expect(exit, stderr).to.equal(0);
      expect(records()[0]?.address).to.equal(address);
      for (const name of ['10.9.8.7', '198.51.100.7']) expect(await logsIn(name), name).to.equal(true);
      expect(await logsIn('10.9.8.8'), 'an address that nobody named').to.equal(false);
    });
  });

  describe('of a host that joins', () => {
    beforeEach(async () => {
      stage = await Stage.quick();
    });
    afterEach(() => stage.stop());

    it('43: the name can be chosen, and the join says which name, address and further names it took', async () => {
      const words = ['--dry-run', '--json'];
      const own = envelope(await stage.joinWith({hostname: undefined}, words));
      expect(own.result.node.hostname).to.equal(hostname());
      const {stderr, status} = await stage.joinWith({hostname: 'chosen'}, ['--additional-principals', 'db1']);
      expect(status, stderr).to.equal(0);
      expect(stderr).to.match(
        /^ {2}rehearse +ed25519 ecdsa accepted as chosen, chosen\.dev\.example, 127\.0\.0\.1/m,
      );
      const [node] = records();
      expect(stderr).to.match(
        new RegExp(`^ {2}register +node ${node?.id} as chosen, ${node?.address} `, 'm'),
      );
      expect((await run('status')).result.names).to.include.members(['chosen', 'db1', '127.0.0.1']);
    });

    it("49: a copy of a host's disk does not pass for the host, and becomes a node of its own", async () => {
      const {result} = await stage.joinJson();
      joinedAs('gold-image');
      const {exit, result: status} = await run('status');
      const codes = status.problems.map(({code}: {code: string}) => code);
      expect({exit, codes}).to.deep.equal({exit: 3, codes: ['RECORD_OF_OTHER_HOST']});
      expect((await run('renew')).warnings.join('\n')).to.match(/joined as gold-image .*`leave --local`/);
      expect((await run('leave', '--local')).exit).to.equal(0);
      expect(records(), 'the record of the original is not touched').to.have.length(1);
      const own = await joinWith({hostname: 'web1-copy', address: '10.9.8.7'});
      expect(own.exit, own.stderr).to.equal(0);
      expect(own.result.node.id).to.not.equal(result.node.id);
      expect(records().map(({hostname}) => hostname)).to.have.members(['web1', 'web1-copy']);
    });

    it('53: a host that was made anew under its old name replaces the stale record when told, and never doubles it', async () => {
      await stage.joinJson();
      const [stale] = records();
      expect((await run('leave', '--local')).exit).to.equal(0);
      const before = await stage.host();
      const refused = await stage.joinJson();
      expect({exit: refused.exit, code: refused.error?.code}).to.deep.equal({exit: 4, code: 'NODE_EXISTS'});
      expect(refused.error?.hint).to.include('--yes');
      expect(await stage.host()).to.deep.equal(before);
      expect(records()).to.deep.equal([stale]);
      const {exit, result, stderr} = await stage.joinJson(['--yes']);
      expect(exit, stderr).to.equal(0);
      expect(records()).to.deep.equal([{...stale, id: result.node.id}]);
      expect(result.node.id).to.not.equal(stale?.id);
    });
  });
});
