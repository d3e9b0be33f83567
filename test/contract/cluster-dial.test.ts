import {createPublicKey, generateKeyPairSync, type KeyObject} from 'node:crypto';
import net, {type AddressInfo} from 'node:net';
import tls, {type TlsOptions} from 'node:tls';
import {expect} from 'chai';
import {authName} from '../../src/cluster/auth-dial.js';
import {connect} from '../../src/cluster/client.js';
import type {Identity} from '../../src/cluster/cluster.js';
import {openTls} from '../../src/cluster/open-tls.js';
import {
  authorityName,
  type Issuer,
  issueAuthority,
  issueLeaf,
  type LeafRequest,
} from '../../src/devcluster/x509.js';
import {Secret} from '../../src/errors.js';
import {disposable, failure} from '../support/cluster-client.js';

// Servers that stand where Auth should be. The client must not write a byte to any of them.

const CLUSTER = 'dial.example';
const DAY = 24 * 3600 * 1000;

const newKey = () => generateKeyPairSync('ec', {namedCurve: 'P-256'}).privateKey;
const pem = (key: KeyObject) => key.export({type: 'pkcs8', format: 'pem'}).toString();

function newAuthority(cluster = CLUSTER): Issuer & {certificate: string} {
  const issuer = {key: newKey(), name: authorityName(cluster)};
  return {...issuer, certificate: issueAuthority(issuer, new Date(Date.now() - 10 * DAY))};
}

function leaf(issuer: Issuer, key: KeyObject, changes: Partial<LeafRequest> = {}): string {
  return issueLeaf(issuer, {
    subject: [['commonName', 'auth']],
    publicKey: createPublicKey(key),
    names: ['*.teleport.cluster.local', 'teleport.cluster.local'],
    validFrom: new Date(Date.now() - 2 * DAY),
    validTo: new Date(Date.now() + DAY),
    ...changes,
  });
}

/** The same certificate with a broken signature, which nobody's TLS library minds presenting. */
function forged(certificate: string): string {
  const der = Buffer.from(certificate.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  der.writeUInt8((der.at(-1) ?? 0) ^ 1, der.length - 1);
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

describe('dialling Auth', () => {
  const host = newAuthority();
  const clientKey = newKey();
  const identity: Identity = {
    cluster: CLUSTER,
    nodeId: 'n',
    key: new Secret(pem(clientKey)),
    certificate: leaf(host, clientKey, {
      subject: [
        ['organization', 'Node'],
        ['commonName', `n.${CLUSTER}`],
      ],
    }),
    authorities: [host.certificate],
  };

  /** What the client makes of a TLS server, and how many bytes of application data that server got. */
  async function dial(options: TlsOptions, who: Identity = identity) {
    let received = 0;
    let asked = '';
    let chain = 0;
    const server = tls.createServer({requestCert: true, rejectUnauthorized: false, ...options}, (socket) => {
      asked = socket.servername === false ? '' : (socket.servername ?? '');
      for (let one = socket.getPeerCertificate(true); one?.raw; one = one.issuerCertificate) {
        chain += 1;
        if (one.issuerCertificate === one) break;
      }
      socket
        .on('error', () => {})
        .on('data', (chunk) => {
          received += chunk.length;
        });
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const {port} = server.address() as AddressInfo;
    try {
      await using cluster = disposable(
        connect({proxy: `127.0.0.1:${port}`, clientVersion: '0', deadline: 700}),
      );
      const error = await failure(cluster.as(who).authority('host'));
      return {error, received, asked, chain};
    } finally {
      server.close();
    }
  }

  const serverKey = newKey();
  const ALPNProtocols = ['h2'];
  const good = {key: pem(serverKey), cert: leaf(host, serverKey), ALPNProtocols};

  it('asks for Auth by the name of the cluster, with one certificate, and talks to nobody else', async () => {
    const {error, received, asked, chain} = await dial(good);
    expect(asked).to.equal(authName(CLUSTER)).and.equal('6469616c2e6578616d706c65.teleport.cluster.local');
    expect(chain).to.equal(1);
    // It was believed: it got the request, and never answered.
    expect(received).to.be.greaterThan(0);
    expect(error).to.include({code: 'CLUSTER_UNREACHABLE'});
    expect(error.message).to.contain('does not answer');
  });

  const stranger = newAuthority();
  const untrusted: readonly (readonly [string, Partial<TlsOptions>, RegExp])[] = [
    ['another cluster of the same name', {cert: leaf(stranger, serverKey)}, /not signed by an authority/],
    [
      'an authority that only bears the name of ours',
      {cert: leaf({key: stranger.key, name: host.name}, serverKey)},
      /not signed by an authority/,
    ],
    ['a forged signature', {cert: forged(leaf(host, serverKey))}, /not signed by an authority/],
    ['another host of this cluster', {cert: leaf(host, serverKey, {names: ['web1']})}, /is not for 6469/],
    [
      'another name in the same domain',
      {cert: leaf(host, serverKey, {names: ['x.teleport.cluster.local']})},
      /is not for 6469/,
    ],
    [
      'a name in the common name only',
      {cert: leaf(host, serverKey, {names: [], subject: [['commonName', authName(CLUSTER)]]})},
      /is not for 6469/,
    ],
    [
      'an expired certificate',
      {cert: leaf(host, serverKey, {validTo: new Date(Date.now() - DAY)})},
      /has expired/,
    ],
    [
      'a certificate of tomorrow',
      {cert: leaf(host, serverKey, {validFrom: new Date(Date.now() + DAY / 2)})},
      /is not valid before/,
    ],
  ];
  for (const [what, options, message] of untrusted) {
    it(`refuses ${what}`, async () => {
      const {error, received} = await dial({...good, ...options});
      expect(error).to.include({code: 'CLUSTER_UNTRUSTED', exitCode: 5});
      expect(error.detail).to.match(message);
      expect(received).to.equal(0);
    });
  }

  it('refuses a leaf that signs, although the authority has signed the leaf', async () => {
    const middle = {
      key: clientKey,
      name: [
        ['organization', 'Node'],
        ['commonName', `n.${CLUSTER}`],
      ],
    } as const;
    const {error} = await dial(
      {...good, cert: leaf(middle, serverKey) + identity.certificate},
      {
        ...identity,
        authorities: [...identity.authorities, identity.certificate],
      },
    );
    expect(error).to.include({code: 'CLUSTER_UNTRUSTED'});
  });

  it('explains what is missing where no protocol is negotiated', async () => {
    const {ALPNProtocols: _none, ...plain} = good;
    for (const options of [plain, {...plain, ALPNProtocols: ['http/1.1']}]) {
      const {error, received} = await dial(options);
      expect(error).to.include({code: 'CLUSTER_UNREACHABLE'});
      expect(error.message).to.contain('does not route TLS connections');
      expect(error.hint).to.contain('layer 7 load balancer');
      expect(received).to.equal(0);
    }
  });

  it('lives through a connection that fails before anybody uses it', async () => {
    const server = net.createServer((raw) => {
      const secure = tls.createServer(good, (socket) => {
        socket.on('error', () => {});
        raw.resetAndDestroy();
      });
      secure.emit(
        'connection',
        raw.on('error', () => {}),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const target = {host: '127.0.0.1', port: (server.address() as AddressInfo).port};
    const {signal} = new AbortController();
    const socket = await openTls({target, httpProxy: undefined}, {rejectUnauthorized: false}, signal);
    await new Promise<void>((resolve) => socket.on('close', () => resolve()).resume());
    server.close();
    expect(socket.errored).to.include({code: 'ECONNRESET'});
  });

  it('says so where the connection ends during the handshake', async () => {
    const server = net.createServer((socket) => socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const {port} = server.address() as AddressInfo;
    await using cluster = disposable(
      connect({proxy: `127.0.0.1:${port}`, clientVersion: '0', deadline: 5000}),
    );
    const error = await failure(cluster.as(identity).authority('host'));
    server.close();
    expect(error).to.include({code: 'CLUSTER_UNREACHABLE'});
    expect(error.hint).to.contain('is TLS routing turned on?');
  });
});
