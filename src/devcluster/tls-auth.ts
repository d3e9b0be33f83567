// Auth's TLS: h2 only, a client certificate asked for but not required, one certificate and no chain. Reached
// directly, or through the proxy by TLS routing; the rules are the same.

import {createPublicKey, type X509Certificate} from 'node:crypto';
import type {Http2Server} from 'node:http2';
import type {Socket} from 'node:net';
import tls, {type TLSSocket} from 'node:tls';
import type {Authority, TlsKey} from './authority.js';
import type {AuthorityViews} from './authority-views.js';
import {isTrusted} from './caller.js';
import type {ClusterFacts} from './cluster-state.js';
import {INTERNAL_NAMES} from './host-certificate.js';
import {serverIssuer} from './rotation.js';
import {fatalAlert, serverTrafficSecret, UNKNOWN_CA} from './tls-alert.js';
import {issueLeaf, TEN_YEARS} from './x509.js';

/** A refused client gets this long to read the alert, in milliseconds. */
const LINGER = 1000;

/** Accepts TCP connections whose bytes are Auth's; what passes goes to the HTTP/2 server. */
export function authTls(
  cluster: ClusterFacts,
  views: AuthorityViews,
  server: Http2Server,
): (socket: Socket) => void {
  const secrets = new WeakMap<TLSSocket, Buffer>();
  const below = new Map<string, Socket>();
  let issuer = serverIssuer(views.as('serve').host);
  const listener = tls.createServer({
    ...presented(cluster, issuer),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  });
  listener.on('tlsClientError', () => {});
  listener.on('keylog', (line, socket) => {
    const secret = serverTrafficSecret(line);
    if (secret !== undefined) secrets.set(socket, secret);
  });
  listener.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    const certificate = socket.getPeerX509Certificate();
    if (socket.alpnProtocol !== 'h2' || certificate?.issuerCertificate !== undefined) socket.destroy();
    else if (certificate === undefined || isMember(certificate, views.as('read'))) {
      server.emit('connection', socket);
    } else refuse(socket, below.get(key(socket)), secrets.get(socket));
  });
  return (socket) => {
    below.set(key(socket), socket);
    const name = key(socket);
    socket.once('close', () => below.delete(name));
    const now = serverIssuer(views.as('serve').host);
    if (now.certificate !== issuer.certificate) listener.setSecureContext(presented(cluster, now));
    issuer = now;
    listener.emit('connection', socket);
  };
}

/** Hosts and users are told apart by their certificates; either is let in. */
const isMember = (certificate: X509Certificate, {host, user}: Readonly<Record<'host' | 'user', Authority>>) =>
  isTrusted(certificate, host) || isTrusted(certificate, user);

const key = (socket: Socket | TLSSocket) =>
  `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`;

/** unknown_ca, after a handshake that the client saw succeed, as Auth does; with TLS 1.2 the connection just ends. */
function refuse(socket: TLSSocket, below: Socket | undefined, secret: Buffer | undefined): void {
  // The session tickets of the handshake leave first.
  setImmediate(() => {
    const record = secret && fatalAlert(socket.getCipher().standardName, secret, UNKNOWN_CA);
    if (below === undefined || record === undefined) {
      socket.destroy();
      return;
    }
    below.write(record);
    // What the client may still send is read: unread bytes would turn the end into a reset that overtakes the alert.
    socket.resume();
    setTimeout(() => socket.destroy(), LINGER).unref();
  });
}

function presented(cluster: ClusterFacts, issuer: TlsKey) {
  return {
    key: cluster.authKey.export({type: 'pkcs8', format: 'pem'}),
    cert: serverCertificate(cluster, issuer),
    // With an authority here OpenSSL would append it to what is served, and Auth serves one certificate.
    ca: [],
  };
}

function serverCertificate(cluster: ClusterFacts, issuer: TlsKey): string {
  const now = Date.now();
  const name = `${cluster.hostId}.${cluster.name}`;
  return issueLeaf(issuer, {
    subject: [
      ['organization', 'Admin'],
      ['commonName', name],
      ['teleportCluster', cluster.name],
    ],
    publicKey: createPublicKey(cluster.authKey),
    names: [...INTERNAL_NAMES, name, cluster.hostId, 'localhost', '127.0.0.1', '::1'],
    validFrom: new Date(now - 60_000),
    validTo: new Date(now + TEN_YEARS),
  });
}
