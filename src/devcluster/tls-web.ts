// The proxy's own TLS, under a web authority that has nothing to do with the cluster's.

import {createPublicKey} from 'node:crypto';
import type {Socket} from 'node:net';
import {isIP} from 'node:net';
import tls, {type TLSSocket} from 'node:tls';
import type {ClusterFacts} from './cluster-state.js';
import type {TestHooks} from './options.js';
import {issueLeaf} from './x509.js';

const DAY = 24 * 3600 * 1000;

/** Terminates TLS and hands the connection on; `protocol` is what was negotiated, http/1.1 where nothing was. */
export function webTls(
  cluster: ClusterFacts,
  host: string,
  hook: TestHooks['testOnlyWebCertificate'],
  protocols: readonly string[],
  handle: (socket: TLSSocket) => void,
): (socket: Socket) => void {
  const listener = tls.createServer({
    key: cluster.webKey.export({type: 'pkcs8', format: 'pem'}),
    cert: webCertificate(cluster, host, hook),
    // No client certificates here: spare the loading of the system's roots.
    ca: [],
    ALPNProtocols: [...protocols],
  });
  listener.on('tlsClientError', () => {});
  listener.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    handle(socket);
  });
  return (socket) => {
    listener.emit('connection', socket);
  };
}

function webCertificate(
  cluster: ClusterFacts,
  host: string,
  hook: TestHooks['testOnlyWebCertificate'],
): string {
  const now = Date.now();
  const validTo = hook?.validTo ?? new Date(now + 365 * DAY);
  const names = ['localhost', '127.0.0.1', '::1', host];
  return issueLeaf(cluster.web, {
    subject: [['commonName', isIP(host) === 0 ? host : 'localhost']],
    publicKey: createPublicKey(cluster.webKey),
    names: [...new Set(hook?.names ?? names)],
    validFrom: new Date(Math.min(now, validTo.getTime()) - DAY),
    validTo,
  });
}
