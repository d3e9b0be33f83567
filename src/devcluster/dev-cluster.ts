// Starting and stopping a cluster, and what its owner may do with it.

import {createHash, type KeyObject, X509Certificate} from 'node:crypto';
import type net from 'node:net';
import {resolve} from 'node:path';
import type {JsonValue} from '@bufbuild/protobuf';
import type {Node, RotationPhase} from '../cluster/cluster.js';
import {readNode} from '../cluster/node-record.js';
import {Failure} from '../errors.js';
import {type Authorities, type AuthorityType, tlsCertificates} from './authority.js';
import {readChange} from './authority-files.js';
import {AuthorityViews} from './authority-views.js';
import {type ClusterFacts, type ClusterState, newCluster} from './cluster-state.js';
import type {Context} from './context.js';
import {Locks} from './locks.js';
import {NodeStore} from './node-store.js';
import {NODES_FILE} from './offline.js';
import type {ClusterOptions} from './options.js';
import {type Limits, MEASURED} from './rate-limit.js';
import {type Rotated, rotate} from './rotate.js';
import {type Address, createListeners, listen, parseListen} from './server.js';
import {StateDirectory} from './state-directory.js';
import {Stats} from './stats.js';
import {type Token, type TokenRequest, TokenStore} from './tokens.js';
import {issueLogin, type LoginCertificate, type LoginRequest} from './user-certificate.js';
import {type IdentityRequest, issueIdentity} from './user-identity.js';

export interface DevCluster {
  readonly name: string;
  /** host:port of the proxy's web address. */
  readonly proxy: string;
  /** host:port of Auth itself. */
  readonly auth: string;
  /** Path of the web authority's certificate, PEM. */
  readonly caFile: string;
  /** "sha256:…" of the public key of the host authority that signs, when the cluster starts. */
  readonly caPin: string;
  /** A token of role Node, valid for an hour from the start. */
  readonly token: string;
  /** Absolute path of the state directory. */
  readonly dir: string;
  readonly stats: Stats;
  /** Gives the token's value. */
  addToken(request: TokenRequest): string;
  removeToken(value: string): void;
  /** Pins of every host authority that is trusted now, the one that signs first. */
  pins(): readonly string[];
  /** Takes an authority to another phase of its rotation; USAGE with Auth's own words where that is refused. */
  rotate(type: AuthorityType, phase: RotationPhase): Promise<Rotated>;
  /** A key and a certificate as a proxy would present it to sshd. */
  login(request: LoginRequest): Promise<LoginCertificate>;
  /** The text of an identity file of a person or a bot. */
  identity(request: IdentityRequest): Promise<string>;
  /** Every record, as stored: no lag. */
  nodes(): readonly Node[];
  /** False when there was none. */
  removeNode(id: string): boolean;
  /** From now on this host neither joins nor calls. */
  lock(hostId: string, message: string): void;
  /** The authority's active SSH key, to sign what a test needs. */
  testOnlySshKey(type: AuthorityType): KeyObject;
  close(): Promise<void>;
}

const DEFAULT_NAME = 'dev.example';
const TOKENS_FILE = 'tokens.json';
const ADDRESS_FILE = 'address.json';
const TOKEN_TTL = 3600;

interface Ports {
  readonly host: string;
  readonly proxy: number;
  readonly auth: number;
}

/** Starts a cluster, new or from its state directory; resolves when it answers. */
export async function startCluster(options: ClusterOptions): Promise<DevCluster> {
  const address = options.listen === undefined ? undefined : parseListen(options.listen);
  if (options.dir === '') {
    throw new Failure('USAGE', 'the name of the directory is empty', {hint: 'name one with --dir'});
  }
  const state = new StateDirectory(resolve(options.dir));
  state.create();
  const cluster = await openCluster(state, options);
  let publicAddress = options.publicAddress ?? '';
  const context = newContext(state, cluster, options, () => publicAddress);
  const {token, caFile} = {token: freshToken(context), caFile: writeCa(state, cluster)};
  const listeners = createListeners(context, address?.host ?? '127.0.0.1');
  const bound = await bindAll(state, listeners, address);
  if (publicAddress === '') publicAddress = bound.proxy;
  return {
    name: cluster.name,
    ...bound,
    caFile,
    caPin: pins(cluster.authorities)[0] ?? '',
    token,
    dir: state.path,
    ...controls(context, state),
    close: () => closeAll(Object.values(listeners), context.stats),
  };
}

type Controls = Omit<DevCluster, 'name' | 'proxy' | 'auth' | 'caFile' | 'caPin' | 'token' | 'dir' | 'close'>;

function controls({cluster, tokens, nodes, locks, stats, views}: Context, state: StateDirectory): Controls {
  return {
    stats,
    addToken: (request) => tokens.add(request).name,
    removeToken: (value) => tokens.remove(value),
    pins: () => pins(views.stored()),
    rotate: (type, phase) => rotate(state.path, type, phase),
    login: (request) => issueLogin({...cluster, authorities: views.stored()}, request),
    identity: (request) => issueIdentity(cluster, views.stored(), request),
    nodes: () => nodes.stored().map(readNode),
    removeNode: (id) => nodes.remove(id),
    lock: (hostId, message) => locks.add(hostId, message),
    testOnlySshKey: (type) => views.stored()[type].active.ssh,
  };
}

/** The stored cluster; its name and suite cannot be changed afterwards. */
async function openCluster(state: StateDirectory, {name, suite}: ClusterOptions): Promise<ClusterState> {
  const stored = state.loadCluster();
  if (stored === undefined) {
    const cluster = await newCluster(name ?? DEFAULT_NAME, suite ?? 'balanced-v1');
    state.saveCluster(cluster);
    return cluster;
  }
  const differs = (name ?? stored.name) !== stored.name || (suite ?? stored.suite) !== stored.suite;
  if (!differs) return stored;
  throw new Failure('USAGE', `${state.path} holds the cluster ${stored.name} of suite ${stored.suite}`, {
    hint: 'leave --name and --suite out, or use another directory',
  });
}

function newContext(
  state: StateDirectory,
  cluster: ClusterState,
  options: ClusterOptions,
  publicAddress: () => string,
): Context {
  const saveTokens = (tokens: readonly Token[]) => state.write(TOKENS_FILE, tokens);
  const saveNodes = (nodes: readonly JsonValue[]) => state.write(NODES_FILE, nodes);
  const lag = options.lag ?? true;
  const views = new AuthorityViews(cluster.authorities, cluster.changes, {
    lag,
    change: (number) => readChange(state, cluster.name, number),
  });
  return {
    cluster,
    authorities: () => views.as('read'),
    views,
    tokens: new TokenStore(state.read<Token[]>(TOKENS_FILE) ?? [], saveTokens),
    nodes: new NodeStore(state.read<JsonValue[]>(NODES_FILE) ?? [], saveNodes, lag),
    locks: new Locks(),
    stats: new Stats(),
    version: options.version ?? '18.0.0',
    limits: limitsOf(options),
    hooks: options,
    publicAddress,
  };
}

function limitsOf({limits = true}: ClusterOptions): Limits | undefined {
  if (typeof limits === 'object') return limits;
  return limits ? MEASURED : undefined;
}

const freshToken = ({tokens}: Context) => tokens.add({roles: ['Node'], ttlSeconds: TOKEN_TTL}).name;

function writeCa(state: StateDirectory, cluster: ClusterFacts): string {
  state.writeText('web-ca.pem', cluster.web.certificate);
  return state.file('web-ca.pem');
}

/** As `tctl status` prints them. */
function pins({host}: Authorities): readonly string[] {
  return tlsCertificates(host).map((pem) => {
    const spki = new X509Certificate(pem).publicKey.export({type: 'spki', format: 'der'});
    return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
  });
}

/** Without an address of its own a restart takes the ports of the last time, so that what has joined finds it again. */
async function bindAll(
  state: StateDirectory,
  listeners: {readonly proxy: net.Server; readonly auth: net.Server},
  address: Address | undefined,
): Promise<{proxy: string; auth: string}> {
  const {host, port} = address ?? {host: '127.0.0.1', port: 0};
  const stored = state.read<Ports>(ADDRESS_FILE);
  const last = stored?.host === host ? stored : undefined;
  const proxy = await listen(listeners.proxy, host, port, port === 0 ? last?.proxy : undefined);
  const auth = await listen(listeners.auth, host, 0, last?.auth);
  state.write(ADDRESS_FILE, {host, proxy: portOf(proxy), auth: portOf(auth)} satisfies Ports);
  return {proxy, auth};
}

const portOf = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1));

async function closeAll(servers: readonly net.Server[], stats: Stats): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  stats.closeAll();
  await Promise.all(closed);
}
