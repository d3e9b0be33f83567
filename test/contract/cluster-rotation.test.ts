import {X509Certificate} from 'node:crypto';
import {create} from '@bufbuild/protobuf';
import {expect} from 'chai';
import type {Cluster, HostSession, Identity} from '../../src/cluster/cluster.js';
import {type Certs, CertsSchema} from '../../src/cluster/gen/auth_pb.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {formatPublicKey} from '../../src/ssh/key.js';
import {clientOf, failure, hostKey, joined} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// What a host learns and gets while the authorities of its cluster are rotated.

const ALL = ['init', 'update_clients', 'update_servers', 'standby'] as const;

const signer = (line = '') => formatPublicKey(parseCertificate(line).authority);

function isSignedBy(certificate: string, authority = ''): boolean {
  return new X509Certificate(certificate).verify(new X509Certificate(authority).publicKey);
}

describe('a host whose cluster is rotated', () => {
  const hooks: Partial<ClusterOptions> = {};
  let server: TemporaryCluster;
  let identity: Identity;
  let cluster: Cluster & AsyncDisposable;
  let session: HostSession;

  beforeEach(async () => {
    server = await temporaryCluster(hooks);
    ({identity} = await joined(server));
    cluster = clientOf(server);
    session = cluster.as(identity);
  });
  afterEach(async () => {
    hooks.testOnlyReply = undefined;
    await cluster.close();
    await server.stop();
  });

  const request = () => ({nodeId: identity.nodeId, nodeName: 'web1', additionalPrincipals: []});
  const certify = (keys: readonly string[], who = session) => who.certify(request(), keys);

  it('learns the phase, the id and since when', async () => {
    const never = (await session.authority('host')).rotation;
    expect(never).to.deep.equal({phase: 'standby', id: '', mode: ''});
    const before = Date.now();
    const {currentId: id} = await server.rotate('host', 'init');
    const {started, ...rest} = (await session.authority('host')).rotation;
    const start = started?.getTime() ?? 0;
    expect(start).to.be.within(before - 1, Date.now());
    // Told although nobody follows it: somebody goes on by hand.
    const hence = (hours: number) => new Date(start + hours * 3_600_000);
    const schedule = {updateClients: hence(10), updateServers: hence(20), standby: hence(30)};
    expect(rest).to.deep.equal({phase: 'init', id, mode: 'manual', graceSeconds: 108_000, schedule});
    for (const phase of ['update_clients', 'update_servers'] as const) {
      await server.rotate('host', phase);
      expect((await session.authority('host')).rotation).to.deep.equal({...rest, phase, started});
    }
    await server.rotate('host', 'standby');
    const ended = (await session.authority('host')).rotation;
    expect(ended).to.deep.equal({phase: 'standby', id, mode: '', graceSeconds: 108_000});
    // The other authority has not been touched.
    expect((await session.authority('openssh')).rotation).to.deep.equal(never);
  });

  it('learns both sides of the host authority, active and additional, and SSH keys only of the other', async () => {
    const standby = await session.authority('host');
    expect(standby.tls).to.deep.equal({active: identity.authorities, additional: []});
    await server.rotate('host', 'init');
    const init = await session.authority('host');
    expect([init.active, init.tls.active]).to.deep.equal([standby.active, standby.tls.active]);
    expect([init.additional.length, init.tls.additional.length]).to.deep.equal([1, 1]);
    await server.rotate('host', 'update_clients');
    const clients = await session.authority('host');
    expect(clients).to.deep.include({active: init.additional, additional: init.active});
    expect(clients.tls).to.deep.equal({active: init.tls.additional, additional: init.tls.active});
    await server.rotate('openssh', 'init');
    const {additional, tls} = await session.authority('openssh');
    expect(additional).to.have.length(1);
    expect(tls).to.deep.equal({active: [], additional: []});
  });

  it('gets a new identity with its certificates, signed by the same authority and as good as the first', async () => {
    const keys = [hostKey(), hostKey('p256')];
    const old = await session.authority('host');
    const same = await certify(keys);
    expect(same.signers).to.deep.equal({ssh: old.active, tls: old.tls.active});
    expect(same.identity).to.deep.include({cluster: server.name, nodeId: identity.nodeId, key: identity.key});
    expect(same.identity.certificate).to.not.equal(identity.certificate);
    expect(same.identity.authorities).to.deep.equal(old.tls.active);
    await server.rotate('host', 'init');
    await server.rotate('host', 'update_clients');
    const host = await session.authority('host');
    const renewed = await certify(keys);
    expect(renewed.certificates.map(signer)).to.deep.equal([...host.active, ...host.active]);
    expect(renewed.signers).to.deep.equal({ssh: host.active, tls: host.tls.active});
    expect(isSignedBy(renewed.identity.certificate, host.tls.active[0])).to.equal(true);
    expect(renewed.identity.authorities).to.deep.equal([...host.tls.active, ...host.tls.additional]);
    await server.rotate('host', 'update_servers');
    await server.rotate('host', 'standby');
    await using later = clientOf(server);
    expect((await later.as(renewed.identity).authority('host')).active).to.deep.equal(host.active);
    const refused = await failure(later.as(identity).authority('host'));
    expect(refused).to.include({code: 'CLUSTER_UNTRUSTED'});
    // Believing Auth is one thing, being believed another.
    const informed = {...identity, authorities: renewed.identity.authorities};
    expect(await failure(later.as(informed).authority('host'))).to.include({
      code: 'REQUEST_REFUSED',
      message: 'the cluster no longer accepts this identity',
      hint: 'join again with a token',
    });
  });

  it('that renews in every phase is accepted in the next, whatever way the rotation takes', async () => {
    for (const path of [ALL, ['init', 'update_clients', 'rollback', 'standby'], [...ALL, ...ALL]] as const) {
      let current = (await joined(server)).identity;
      for (const phase of path) {
        await server.rotate('host', phase);
        await using client = clientOf(server);
        const asked = {...request(), nodeId: current.nodeId};
        const {identity: next, certificates} = await client.as(current).certify(asked, [hostKey()]);
        const {active} = await client.as(next).authority('host');
        expect(active).to.deep.equal([signer(certificates[0])]);
        current = next;
      }
    }
  });

  it('is shown that answers are half old, half new, and can use both', async () => {
    const [one, two] = [hostKey(), hostKey('p256')];
    await server.rotate('host', 'init');
    let early: Certs | undefined;
    hooks.testOnlyReply = (_name, reply) => {
      if (reply.$typeName === 'proto.Certs') early = reply as Certs;
      return reply;
    };
    await certify([one]);
    const old = await session.authority('host');
    await server.rotate('host', 'update_clients');
    const late = await session.authority('host');
    // The first key's answer comes from before, the second's from now.
    const isFor = (reply: Certs, key: string) =>
      formatPublicKey(parseCertificate(Buffer.from(reply.ssh).toString().trim()).key) === key;
    hooks.testOnlyReply = (_name, reply) =>
      reply.$typeName === 'proto.Certs' && isFor(reply as Certs, one) ? (early ?? reply) : reply;
    const mixed = await certify([one, two]);
    expect(mixed.certificates.map(signer)).to.deep.equal([...old.active, ...late.active]);
    expect(mixed.signers).to.deep.equal({
      ssh: [...old.active, ...late.active],
      tls: [...old.tls.active, ...late.tls.active],
    });
    expect(mixed.identity.authorities).to.have.members([...old.tls.active, ...late.tls.active]);
    await using client = clientOf(server);
    expect((await client.as(mixed.identity).authority('host')).active).to.deep.equal(late.active);
  });

  it('refuses a client certificate that is not its own, or that no authority of the answer has signed', async () => {
    const stranger = (await joined(server)).identity.certificate;
    await using other = await temporaryCluster({name: server.name});
    const foreign = (await joined(other)).identity.authorities[0] ?? '';
    const changes: readonly (readonly [Partial<Certs>, RegExp])[] = [
      [{tls: Buffer.from(stranger)}, /is for another key/],
      [{tls: Buffer.from('nonsense')}, /cannot be read/],
      [{tlsCaCerts: [Buffer.from(foreign)]}, /is not signed by an authority/],
      [{tlsCaCerts: []}, /the TLS authorities .* cannot be read/],
    ];
    for (const [change, says] of changes) {
      hooks.testOnlyReply = (_name, reply) =>
        reply.$typeName === 'proto.Certs' ? create(CertsSchema, {...(reply as Certs), ...change}) : reply;
      const refused = await failure(certify([hostKey()]));
      expect(refused).to.include({code: 'CLUSTER_REPLY_INVALID'});
      expect(refused.message).to.match(says);
    }
  });
});
