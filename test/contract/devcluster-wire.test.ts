import {randomUUID, X509Certificate} from 'node:crypto';
import {expect} from 'chai';
import type {SignatureSuite} from '../../src/cluster/cluster.js';
import {AuthService, JoinService} from '../../src/cluster/gen/auth_pb.js';
import {TrustService} from '../../src/cluster/gen/teleport/trust/v1/trust_pb.js';
import {FOREVER, parseCertificate, verifySignature} from '../../src/ssh/certificate.js';
import {generateKey, parsePublicKey, publicBlob} from '../../src/ssh/key.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {
  authName,
  connect,
  dialAuth,
  GrpcClient,
  GrpcError,
  type HostKeys,
  type JoinAnswer,
  joinFields,
  newHostKeys,
  peerProblem,
  postJoin,
  readJoin,
  split,
  sshLine,
  tlsPem,
} from '../support/raw-client.js';

// What a client does from the first request to the last, in every signature suite, by a client that shares no code
// with the program's own.

const SUITES: readonly [SignatureSuite, sshKey: string, tlsKey: string, signature: string][] = [
  ['balanced-v1', 'ssh-ed25519', 'ec', 'ssh-ed25519'],
  ['fips-v1', 'ecdsa-sha2-nistp256', 'ec', 'ecdsa-sha2-nistp256'],
  ['hsm-v1', 'ecdsa-sha2-nistp256', 'ec', 'ecdsa-sha2-nistp256'],
  ['legacy', 'ssh-rsa', 'rsa', 'rsa-sha2-256'],
];

for (const [suite, sshKey, tlsKey, signature] of SUITES) {
  describe(`embedded cluster: join to leave, ${suite}`, () => {
    let cluster: TemporaryCluster;
    let joined: JoinAnswer;
    let auth: GrpcClient;
    const keys: HostKeys = newHostKeys();
    const hostId = randomUUID();
    const authority = () => joined.tlsAuthorities[0] ?? '';
    const identity = () => ({cert: joined.tls, key: keys.tls.export({type: 'pkcs8', format: 'pem'})});

    before(async () => {
      cluster = await temporaryCluster({suite, name: 'vector.example'});
      joined = readJoin(await postJoin(cluster, joinFields(cluster.token, keys, hostId)));
      auth = new GrpcClient(await dialAuth(cluster, identity()), {version: '18.0.0'});
    });
    after(async () => {
      auth?.close();
      await cluster?.stop();
    });

    it('signs the SSH host certificate that 18.0.0 would', () => {
      const certificate = parseCertificate(joined.ssh);
      const [ca = ''] = joined.sshAuthorities;
      expect(parsePublicKey(ca).type).to.equal(sshKey);
      expect(certificate.signatureAlgorithm).to.equal(signature);
      expect(Buffer.from(certificate.authority).equals(parsePublicKey(ca).blob)).to.equal(true);
      expect(verifySignature(certificate)).to.equal(true);
      expect(Buffer.from(certificate.key).equals(publicBlob(keys.ssh))).to.equal(true);
      expect(certificate).to.include({type: 'host', keyId: '', serial: 0n, validBefore: FOREVER});
      expect(certificate.principals).to.eql([
        ...[`${hostId}.vector.example`, hostId, 'db1.vector.example', 'db1', 'localhost', '127.0.0.1', '::1'],
        ...['db1.example.com', '10.0.0.5'],
      ]);
      expect([...certificate.extensions]).to.eql([
        ['x-teleport-authority', 'vector.example'],
        ['x-teleport-role', 'Node'],
      ]);
      expect(certificate.criticalOptions.size).to.equal(0);
      const age = BigInt(Math.floor(Date.now() / 1000)) - certificate.validAfter;
      expect(age >= 60n && age < 120n).to.equal(true);
    });

    it('signs the TLS certificate that 18.0.0 would', () => {
      const [leaf, ca] = [new X509Certificate(joined.tls), new X509Certificate(authority())];
      expect(ca.publicKey.asymmetricKeyType).to.equal(tlsKey);
      expect(leaf.checkIssued(ca) && leaf.verify(ca.publicKey)).to.equal(true);
      expect(ca.ca && !leaf.ca && ca.verify(ca.publicKey)).to.equal(true);
      const subject = ['street=', 'postalCode=null', 'O=Node', `CN=${hostId}.vector.example`];
      expect(leaf.subject.split('\n')).to.eql([...subject, '1.3.9999.1.7=vector.example']);
      expect(leaf.subjectAltName).to.equal('DNS:db1.example.com, DNS:db1, IP Address:10.0.0.5');
      expect(leaf.keyUsage).to.eql(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
      expect(cluster.caPin).to.match(/^sha256:[0-9a-f]{64}$/);
    });

    for (const direct of [false, true]) {
      it(`presents Auth's own certificate ${direct ? 'on its own port' : 'through the proxy'}`, async () => {
        const socket = await dialAuth(cluster, {...identity(), direct});
        expect(socket.alpnProtocol).to.equal('h2');
        // Asked once: on the client's side Node takes the certificate away with the first answer.
        const leaf = socket.getPeerX509Certificate();
        expect(peerProblem(leaf, authority(), authName(cluster.name))).to.equal(undefined);
        expect(peerProblem(leaf, authority(), 'elsewhere.example')).to.equal('not for that name');
        // One certificate: the issuer is what the client knows, not what it is told.
        expect(leaf?.issuerCertificate).to.equal(undefined);
        socket.destroy();
      });
    }

    it('answers Ping with its version in message and header', async () => {
      const pong = await auth.call(AuthService.method.ping, {});
      expect(pong).to.include({clusterName: 'vector.example', serverVersion: '18.0.0'});
      expect(pong.proxyPublicAddr).to.equal(cluster.proxy);
      expect(pong.remoteAddr).to.match(/^127\.0\.0\.1:\d+$/);
      expect(auth.lastHeaders['version']).to.equal('18.0.0');
    });

    it('hands out the authorities', async () => {
      const {certAuthoritiesV2} = await auth.call(TrustService.method.getCertAuthorities, {type: 'openssh'});
      expect(certAuthoritiesV2).to.have.length(1);
      const [openssh] = certAuthoritiesV2;
      expect(openssh).to.deep.include({kind: 'cert_authority', subKind: 'openssh', version: 'v2'});
      const line = Buffer.from(openssh?.spec?.activeKeys?.ssh[0]?.publicKey ?? []).toString();
      expect(parsePublicKey(line).type).to.equal(sshKey);
      expect(line.endsWith('\n')).to.equal(true);
      const host = await auth.call(TrustService.method.getCertAuthority, {
        type: 'host',
        domain: cluster.name,
      });
      expect(Buffer.from(host.spec?.activeKeys?.tls[0]?.cert ?? []).toString()).to.equal(authority());
      expect(host.spec?.additionalTrustedKeys?.ssh).to.eql([]);
    });

    it('certifies further host keys for the host itself', async () => {
      const rsa = generateKey('rsa2048');
      const certs = await auth.call(AuthService.method.generateHostCerts, {
        hostId,
        nodeName: 'db1',
        role: 'Node',
        additionalPrincipals: ['0.0.0.0', '', 'extra', 'extra'],
        publicTlsKey: Buffer.from(tlsPem(keys.tls)),
        publicSshKey: Buffer.from(sshLine(rsa)),
      });
      const certificate = parseCertificate(Buffer.from(certs.ssh).toString());
      expect(certificate.keyType).to.equal('ssh-rsa');
      expect(verifySignature(certificate)).to.equal(true);
      expect(certificate.principals.slice(-2)).to.eql(['::1', 'extra']);
    });

    it('registers, lists and removes the node', async () => {
      const spec = {addr: '10.0.0.5:22', hostname: 'db1'};
      const record = {kind: 'node', subKind: 'openssh', version: 'v2', metadata: {name: hostId}, spec};
      const kept = await auth.call(AuthService.method.upsertNode, record);
      expect([kept.name, kept.type, kept.expires?.seconds]).to.eql(['', 0, -62135596800n]);
      const one = {name: hostId, namespace: 'default'};
      expect((await auth.call(AuthService.method.getNode, one)).spec?.addr).to.equal('10.0.0.5:22');
      const page = await auth.call(AuthService.method.listResources, {resourceType: 'node', limit: 5});
      expect(page.resources.map(({resource}) => resource.value?.metadata?.name)).to.eql([hostId]);
      await auth.call(AuthService.method.deleteNode, one);
      const gone = await auth.call(AuthService.method.deleteNode, one).catch((error) => error);
      expect(gone).to.be.instanceOf(GrpcError).and.include({code: 5});
    });

    it('joins over gRPC too', async () => {
      const host = split(cluster.proxy);
      const ALPNProtocols = ['teleport-proxy-grpc', 'h2'];
      const socket = await connect({...host, ALPNProtocols, rejectUnauthorized: false});
      const client = new GrpcClient(socket);
      const {ssh} = await client.call(JoinService.method.registerUsingToken, {
        hostId,
        nodeName: 'db1',
        role: 'Node',
        token: cluster.token,
        publicTlsKey: Buffer.from(tlsPem(keys.tls)),
        publicSshKey: Buffer.from(sshLine(keys.ssh)),
      });
      expect(verifySignature(parseCertificate(Buffer.from(ssh).toString()))).to.equal(true);
      client.close();
    });
  });
}
