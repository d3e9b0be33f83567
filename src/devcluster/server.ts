// The two ports of a cluster: the proxy's, with TLS routing, and Auth's own.

import http from 'node:http';
import http2, {type Http2ServerRequest} from 'node:http2';
import net, {type AddressInfo, type Socket} from 'node:net';
import type {TLSSocket} from 'node:tls';
import {Failure} from '../errors.js';
import {isLoopback, joinHostPort, peerAddress, splitHostPort} from './address.js';
import {type Caller, readCaller} from './caller.js';
import type {Context} from './context.js';
import {authHandler, joinHandler} from './grpc.js';
import {routeConnection} from './routing.js';
import {authTls} from './tls-auth.js';
import {webTls} from './tls-web.js';
import {webApi} from './web-api.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A loopback host:port, or a usage failure. */
export function parseListen(text: string): Address {
  const split = splitHostPort(text);
  const port = 'problem' in split || !/^\d{1,5}$/.test(split.port) ? Number.NaN : Number(split.port);
  if ('problem' in split || !(port <= 65_535)) {
    throw new Failure('USAGE', `--listen wants host:port, not ${JSON.stringify(text)}`, {
      hint: 'write for example --listen 127.0.0.1:3080',
    });
  }
  if (!isLoopback(split.host)) {
    throw new Failure('USAGE', `the development cluster listens on loopback only, not on ${split.host}`, {
      hint: 'use 127.0.0.1:PORT; its keys lie unprotected on disk and anyone who reaches it may use it',
    });
  }
  return {host: split.host, port};
}

export interface Listeners {
  readonly proxy: net.Server;
  readonly auth: net.Server;
}

/** Servers that are wired up but not yet listening. `host` is named in the web certificate. */
export function createListeners(context: Context, host: string): Listeners {
  const {cluster, views, hooks, stats} = context;
  const grpcAuth = http2.createServer(authHandler(context, callerIn(cluster.name)));
  const grpcJoin = http2.createServer(joinHandler(context, anonymous));
  const api = webApi(context);
  const [web1, web2] = [http.createServer(api), http2.createServer(api)];
  const toAuth = authTls(cluster, views, grpcAuth);
  const toWeb = webTls(cluster, host, hooks.testOnlyWebCertificate, ['h2', 'http/1.1'], (socket) => {
    (socket.alpnProtocol === 'h2' ? web2 : web1).emit('connection', socket);
  });
  const toHttp1 = webTls(cluster, host, hooks.testOnlyWebCertificate, ['http/1.1'], (socket) => {
    web1.emit('connection', socket);
  });
  const toJoin = webTls(
    cluster,
    host,
    hooks.testOnlyWebCertificate,
    ['h2', 'teleport-proxy-grpc'],
    (socket) => {
      grpcJoin.emit('connection', socket);
    },
  );
  const handlers = {auth: toAuth, join: toJoin, h2: toWeb, 'http/1.1': toHttp1};
  const accept = (socket: Socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => {});
    stats.watch(socket);
    return socket;
  };
  return {
    proxy: net.createServer((socket) => routeConnection(accept(socket), cluster.name, handlers)),
    auth: net.createServer((socket) => toAuth(accept(socket))),
  };
}

/** Listens; with `wanted` the port of an earlier start, any free one does when that is taken. Gives host:port. */
export async function listen(
  server: net.Server,
  host: string,
  port: number,
  wanted?: number,
): Promise<string> {
  try {
    return await bind(server, host, wanted ?? port);
  } catch (error) {
    if (wanted === undefined) {
      throw new Failure('USAGE', `cannot listen on ${joinHostPort(host, port)}`, {
        cause: error,
        ...(error instanceof Error && {detail: error.message}),
        hint: 'name another port with --listen, or port 0 for any that is free',
      });
    }
    return bind(server, host, port);
  }
}

function bind(server: net.Server, host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(joinHostPort(host, (server.address() as AddressInfo).port));
    });
  });
}

/** The caller behind a request: its connection's certificate was verified when the connection was accepted. */
const callerIn =
  (cluster: string) =>
  (request: Http2ServerRequest): Caller => {
    const socket = request.socket as TLSSocket;
    return readCaller(socket.getPeerX509Certificate(), peer(socket), cluster);
  };

const anonymous = (request: Http2ServerRequest): Caller => ({kind: 'anonymous', ...peer(request.socket)});

function peer(socket: Socket): {address: string; endpoint: string} {
  const address = peerAddress(socket.remoteAddress);
  return {address, endpoint: joinHostPort(address, socket.remotePort ?? 0)};
}
