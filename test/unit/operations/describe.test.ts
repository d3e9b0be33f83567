import {expect} from 'chai';
import type {HostSession} from '../../../src/cluster/cluster.js';
import {Secret} from '../../../src/errors.js';
import type {Daemon} from '../../../src/host/daemon.js';
import type {HostFacts} from '../../../src/host/facts.js';
import {
  count,
  describeCluster,
  describeCredentials,
  describeFacts,
  describeRehearsal,
  describeWrites,
  validity,
} from '../../../src/operations/describe.js';
import {settleAddress} from '../../../src/operations/node.js';
import {type Scene, setScene} from '../../../src/operations/scene.js';
import type {Step} from '../../../src/plan/step.js';
import {FOREVER, signCertificate} from '../../../src/ssh/certificate.js';
import {fingerprint, generateKey, publicBlob} from '../../../src/ssh/key.js';
import {PrivateHost} from '../../support/private-host.js';

const CA = generateKey('ed25519');

function certificate(principals: readonly string[] = ['web1'], validBefore = FOREVER): string {
  const key = publicBlob(generateKey('ed25519'));
  return signCertificate({type: 'host', key, principals, validAfter: 0n, validBefore}, CA);
}

const credentials = (...lines: readonly string[]) => ({
  identity: {cluster: 'c', nodeId: 'n', key: new Secret('k'), certificate: '', authorities: []},
  session: {} as HostSession,
  certificates: new Map(lines.map((line, index) => [`/k/${index}`, line])),
  userAuthorities: [],
  signer: '',
  renewed: [],
});

describe('facts in one line', () => {
  let facts: HostFacts;
  let scene: Scene;
  before(async () => {
    using box = new PrivateHost();
    box.configure([box.key('one'), box.key('two', 'ecdsa')], 'Port 2222');
    facts = await box.look();
    const wanted = {hostname: 'web1', address: undefined, labels: {}, additionalPrincipals: []};
    scene = setScene(facts, {...wanted, nodeId: 'id', cluster: 'example.com'}, []);
  });

  it('of sshd: its age, what runs, its keys, its port', () => {
    const shown = (daemon: Partial<Daemon>) =>
      describeFacts({...facts, version: [9, 2], daemon: {...facts.daemon, ...daemon}});
    expect(shown({})).to.equal('sshd 9.2 (not running), 2 host keys, port 2222');
    expect(shown({socket: 'ssh.socket'})).to.equal('sshd 9.2 (ssh.socket), 2 host keys, port 2222');
    const process = {pid: 812, argv: [], exe: undefined, unit: undefined, cwd: undefined, listening: []};
    expect(shown({process})).to.equal('sshd 9.2 (pid 812), 2 host keys, port 2222');
    expect(shown({process: {...process, unit: 'ssh.service'}})).to.equal(
      'sshd 9.2 (pid 812, ssh.service), 2 host keys, port 2222',
    );
  });

  it('of the cluster', () => {
    const info = {name: 'example.com', version: '18.0.0', proxy: 'p:443', tlsRouting: true} as const;
    expect(describeCluster({...info, suite: 'balanced-v1'})).to.equal(
      'example.com, Teleport 18.0.0, through p:443',
    );
  });

  it('of a rehearsal: the first names are enough', () => {
    const [types, logins, throughPam] = [['ed25519', 'rsa'], [] as string[], undefined];
    expect(describeRehearsal({types, names: ['a'], logins, throughPam})).to.equal(
      'ed25519 rsa accepted as a',
    );
    expect(describeRehearsal({types, names: ['a', 'b', 'c', 'd'], logins, throughPam: 'root'})).to.equal(
      'ed25519 rsa accepted as a, b, c and 1 more name; PAM let root in, and hooks saw the certificate',
    );
    expect(describeRehearsal({types, names: [...'abcde'], logins: ['root', 'deploy'], throughPam})).to.equal(
      'ed25519 rsa accepted as a, b, c and 2 more names; root deploy would get in',
    );
  });

  it('of credentials: how many, whose, how long', () => {
    const signer = `${fingerprint(publicBlob(CA)).slice(0, 15)}…`;
    expect(describeCredentials(credentials(certificate()))).to.equal(
      `1 certificate signed by ${signer}, no end date`,
    );
    const [day, later] = [1893456000n, 1893542400n];
    const lines = [certificate([], FOREVER), certificate([], later), certificate([], day)];
    expect(describeCredentials(credentials(...lines))).to.equal(
      `3 certificates signed by ${signer}, valid until 2030-01-01`,
    );
    expect(describeCredentials(credentials())).to.equal('0 certificates, no end date');
    expect(validity([])).to.equal('no end date');
  });

  it('of what is written: our directory, then the file that makes sshd read it', () => {
    const {directory, userAuthorities, certificates} = scene.layout;
    const file = (path: string): Step => ({
      kind: 'path',
      path,
      to: {kind: 'file', bytes: Buffer.from('x')},
      why: '',
    });
    const made: Step = {kind: 'path', path: directory, to: {kind: 'directory', mode: 0o755}, why: ''};
    const check: Step = {kind: 'check', argv: ['true'], why: ''};
    const inside = [userAuthorities, ...certificates.values()].map(file);
    const all = [
      made,
      file('/var/lib/agentless/identity/key.pem'),
      ...inside,
      file(scene.placement.path),
      check,
    ];
    expect(describeWrites(all, scene)).to.equal(`${directory}/ (3 files), ${scene.placement.path}`);
    expect(describeWrites(inside.slice(0, 1), scene)).to.equal(`${directory}/ (1 file)`);
    expect(describeWrites([file('/var/lib/x'), file('/var/lib/y')], scene)).to.equal('2 files');
    expect(describeWrites([check], scene)).to.equal('0 files');
  });

  it('counts', () => {
    expect([0, 1, 2].map((number) => count(number, 'key'))).to.deep.equal(['0 keys', '1 key', '2 keys']);
  });

  describe('the address of a node', () => {
    it('is the one that was asked for', () => {
      expect(settleAddress('10.0.0.5:22', credentials(), scene)).to.equal('10.0.0.5:22');
    });

    it("is what the cluster has written into the certificate, with sshd's port", () => {
      const names = ['web1', 'localhost', '127.0.0.1', '::1'];
      const seen = (address: string) =>
        settleAddress(undefined, credentials(certificate([...names, address])), scene);
      expect(seen('203.0.113.7')).to.equal('203.0.113.7:2222');
      expect(seen('2001:db8::7')).to.equal('[2001:db8::7]:2222');
    });

    it('is a loopback one where the cluster has replaced what it was asked to, and added nothing', () => {
      const local = credentials(certificate(['web1', 'localhost', '127.0.0.1', '::1']));
      expect(settleAddress(undefined, local, scene)).to.equal('127.0.0.1:2222');
      const named = {...scene, names: [...scene.names, '10.0.0.5']};
      expect(() => settleAddress(undefined, local, named), 'or it has seen that one').to.throw(/did not say/);
    });

    it('has to be given where the cluster did not say', () => {
      for (const given of [credentials(), credentials(certificate(['web1', '127.0.0.1', '0.0.0.0']))]) {
        expect(() => settleAddress(undefined, given, scene))
          .to.throw(/did not say which address/)
          .with.property('hint', 'give it: --address HOST:2222');
      }
    });
  });
});
