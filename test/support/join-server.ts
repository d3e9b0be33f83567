// A join service that behaves as a test says, behind TLS as a proxy has it.

import {generateKeyPairSync} from 'node:crypto';
import http2 from 'node:http2';
import type {AddressInfo} from 'node:net';
import tls from 'node:tls';
import type {ServiceImpl} from '@connectrpc/connect';
import {connectNodeAdapter} from '@connectrpc/connect-node';
import type {JoinRequest} from '../../src/cluster/cluster.js';
import {Deadline} from '../../src/cluster/deadline.js';
import {JoinService} from '../../src/cluster/gen/auth_pb.js';
import {joinByIam} from '../../src/cluster/iam-join.js';
import {joinFields} from '../../src/cluster/join-fields.js';
import type {Proof} from '../../src/cluster/proof.js';
import {WebConnection} from '../../src/cluster/web-connection.js';
import {authorityName, issueAuthority} from '../../src/devcluster/x509.js';

export interface JoinServer extends AsyncDisposable {
  /** One join through the client's own code; `deadline` in milliseconds. */
  joinByIam(request: JoinRequest, proof: Proof, deadline?: number): Promise<unknown>;
}

type Method = ServiceImpl<typeof JoinService>['registerUsingIAMMethod'];

/** Without a method there is no ALPN either, as behind a balancer that ends TLS. */
export async function joinServer(method: Method | undefined): Promise<JoinServer> {
  const key = generateKeyPairSync('ec', {namedCurve: 'P-256'}).privateKey;
  const certificate = issueAuthority({key, name: authorityName('x')}, new Date(Date.now() - 1000));
  const routes = method && {registerUsingIAMMethod: method};
  const grpc = http2.createServer(
    connectNodeAdapter({
      routes: (router) => {
        if (routes) router.service(JoinService, routes);
      },
    }),
  );
  const server = tls.createServer({
    key: key.export({type: 'pkcs8', format: 'pem'}),
    cert: certificate,
    ...(method && {ALPNProtocols: ['teleport-proxy-grpc']}),
  });
  const sockets: tls.TLSSocket[] = [];
  server.on('secureConnection', (socket) => {
    sockets.push(socket.on('error', () => {}));
    if (method) grpc.emit('connection', socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const target = {host: '127.0.0.1', port: (server.address() as AddressInfo).port};
  const trust = {authorities: [], insecure: true, system: () => []};
  return {
    async joinByIam(request, proof, milliseconds = 1500) {
      if (proof.method !== 'iam') throw new TypeError('this is for iam');
      const web = new WebConnection({target, httpProxy: undefined}, trust, 'test');
      const deadline = new Deadline(milliseconds, new AbortController().signal);
      return joinByIam({web, where: 'the proxy', deadline}, joinFields(request, ''), proof);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
