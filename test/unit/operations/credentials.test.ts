import {expect} from 'chai';
import type {Cluster, HostSession, Identity} from '../../../src/cluster/cluster.js';
import type {HostKey} from '../../../src/host/facts.js';
import {type Authorities, askAuthorities, refresh} from '../../../src/operations/refresh.js';
import {parseCertificate} from '../../../src/ssh/certificate.js';
import {formatPublicKey, parsePublicKey} from '../../../src/ssh/key.js';
import {clientOf, hostKey, joined} from '../../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../../support/dev-cluster.js';

const key = (file: string, kind: 'ed25519' | 'p256'): HostKey => ({
  ...parsePublicKey(hostKey(kind)),
  file,
  plainBy: [],
  certificateBy: [],
});

const KEYS = [key('/k/one', 'ed25519'), key('/k/two', 'p256')];

describe('the certificates of a host that is joined', () => {
  let server: TemporaryCluster;
  let identity: Identity;
  let cluster: Cluster;
  let session: HostSession;
  let authorities: Authorities;
  before(async () => {
    server = await temporaryCluster();
    ({identity} = await joined(server));
    cluster = clientOf(server);
    session = cluster.as(identity);
    authorities = await askAuthorities(session);
  });
  after(async () => {
    await cluster.close();
    await server.stop();
  });

  const signed = () => server.stats.requests['proto.AuthService/GenerateHostCerts'] ?? 0;
  const renew = (current: ReadonlyMap<string, string>, names: readonly string[] = ['web1'], keys = KEYS) => {
    const request = {nodeId: identity.nodeId, nodeName: 'web1', additionalPrincipals: names.slice(1)};
    return refresh(
      {session, authorities},
      {identity, certificates: current},
      {...request, names, keys},
      false,
    );
  };

  it('are asked for by key when there are none', async () => {
    const before = signed();
    const {certificates, renewed, userAuthorities, signer} = await renew(new Map());
    expect(renewed).to.have.length(KEYS.length);
    expect(signed()).to.be.greaterThan(before);
    for (const {file, blob} of KEYS) {
      const {key: certified, authority, type} = parseCertificate(certificates.get(file) ?? '');
      expect(type).to.equal('host');
      expect(formatPublicKey(certified)).to.equal(formatPublicKey(blob));
      expect(formatPublicKey(authority)).to.equal(signer);
    }
    expect(userAuthorities).to.deep.equal(authorities.users.active);
  });

  it('are kept, and nothing is asked, while they are right', async () => {
    const {certificates} = await renew(new Map());
    const before = signed();
    const again = await renew(certificates);
    expect(again.renewed).to.deep.equal([]);
    expect([...again.certificates]).to.deep.equal([...certificates]);
    expect(signed()).to.equal(before);
  });

  it('are signed again one by one: for another key, a missing name, rubbish, nothing', async () => {
    const {certificates} = await renew(new Map());
    const [one = '', two = ''] = [certificates.get('/k/one'), certificates.get('/k/two')];
    const cases = {
      'another key': [two, two],
      rubbish: ['not a certificate', two],
      nothing: [undefined, two],
      'a plain key': [hostKey(), two],
    } as const;
    for (const [name, [first, second]] of Object.entries(cases)) {
      const current = new Map([
        ['/k/two', second],
        ...(first === undefined ? [] : [['/k/one', first] as const]),
      ]);
      const now = await renew(current);
      expect(now.renewed, name).to.have.length(1);
      expect(now.certificates.get('/k/two'), name).to.equal(two);
      expect(now.certificates.get('/k/one'), name).to.not.equal(first);
      expect(parseCertificate(now.certificates.get('/k/one') ?? '').key, name).to.deep.equal(
        parseCertificate(one).key,
      );
    }
    const named = await renew(certificates, ['web1', 'db1']);
    expect(named.renewed).to.have.length(KEYS.length);
    for (const line of named.certificates.values())
      expect(parseCertificate(line).principals).to.include('db1');
  });

  it('are signed again when the authority that signed them is active no more', async () => {
    const {certificates} = await renew(new Map());
    for (const phase of ['init', 'update_clients'] as const) await server.rotate('host', phase);
    const rotated = await askAuthorities(session);
    const request = {
      nodeId: identity.nodeId,
      nodeName: 'web1',
      additionalPrincipals: [],
      names: ['web1'],
      keys: KEYS,
    };
    const held = {identity, certificates};
    const now = await refresh({session, authorities: rotated}, held, request, false);
    expect(now.renewed.join('\n')).to.match(/^(.*the cluster signs with no more\n?){3}$/);
    expect(now.signer).to.equal(rotated.hosts.active[0]);
  });
});
