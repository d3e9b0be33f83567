// The cluster's half of the way: name, connection, certificate, version, routing to Auth, then what Auth says of this host.

import type {Cluster, ClusterInfo, Identity} from '../../cluster/cluster.js';
import type {Step, Way} from '../../cluster/examine.js';
import {Failure} from '../../errors.js';
import type {Asked} from '../status/online.js';
import type {ProblemCode} from '../status/problem.js';
import {bad, type Check, type Finding, findingsOf, ok, skip} from './finding.js';

export interface ClusterTools {
  readonly way: Way;
  readonly cluster: Cluster;
  /** The cluster that this host has joined, with what it says of it; absent: it has joined none. */
  readonly joined?: {
    readonly cluster: string;
    readonly ask: (identity: Identity) => Promise<Asked>;
    /** 'discarded': it keeps none; 'lost': it has none that can be used, which is told elsewhere. */
    readonly identity: Identity | 'discarded' | 'lost';
  };
}

export interface ClusterFindings {
  readonly findings: readonly Finding[];
  readonly info?: ClusterInfo;
  readonly asked?: Asked;
}

/** Says nothing about a layer when one below it has failed: that would only be the same again. */
export async function walkToCluster({way, cluster, joined}: ClusterTools): Promise<ClusterFindings> {
  const [resolved, connected] = [await way.resolve(), await way.connect()];
  const reached = [nameFinding(way, resolved), tcpFinding(way, connected)];
  if ('failure' in resolved || 'failure' in connected) {
    const rest = (['tls', 'version', 'auth', 'identity', 'signer', 'node'] as const).map((check) =>
      skip(check, 'not looked at: the proxy cannot be reached'),
    );
    return {findings: [...reached, ...rest]};
  }
  const [verified, described] = await Promise.all([way.verify(), caught(cluster.describe())]);
  const info = 'value' in described ? described.value : undefined;
  const name = joined?.cluster ?? info?.name;
  const [routed, asked] = await Promise.all([
    name === undefined ? undefined : way.route(name),
    typeof joined?.identity === 'object' ? joined.ask(joined.identity) : undefined,
  ]);
  const findings = [
    ...reached,
    tlsFinding(verified, joined !== undefined),
    ...versionFindings(described, verified, joined?.cluster),
    routed ? authFinding(routed, way) : skip('auth', 'not looked at: the name of the cluster is not known'),
    ...askedFindings(asked, joined),
  ];
  return {findings, ...(info && {info}), ...(asked && {asked})};
}

async function caught<T>(work: Promise<T>): Promise<Step<T>> {
  try {
    return {value: await work};
  } catch (error) {
    if (error instanceof Failure) return {failure: error};
    throw error;
  }
}

function failed(check: Check, {message, detail, hint}: Failure, status: 'warn' | 'fail' = 'fail'): Finding {
  return bad(status, check, message, {proof: detail ?? '', fix: hint ?? ''});
}

function nameFinding({first, throughHttpProxy}: Way, step: Step<readonly string[]>): Finding {
  if ('failure' in step) return failed('name', step.failure);
  const via = throughHttpProxy ? ' (the HTTP proxy of HTTPS_PROXY)' : '';
  return ok('name', `${first}${via} → ${step.value.join(', ')}`);
}

function tcpFinding({first}: Way, step: Step<number>): Finding {
  if ('failure' in step) return failed('tcp', step.failure);
  return ok('tcp', `${first} answers after ${Math.max(1, Math.round(step.value))} ms`);
}

/** Two weeks: nobody has noticed yet, and there is time to do something. */
const SOON = 14 * 86_400_000;

function tlsFinding(step: Awaited<ReturnType<Way['verify']>>, joined: boolean): Finding {
  if ('failure' in step) {
    // What has joined verifies Auth by the cluster's own authorities; the web certificate matters to those that join.
    const finding = failed('tls', step.failure, joined ? 'warn' : 'fail');
    return joined
      ? {...finding, cause: 'this joined host does not depend on it; joining and the version do'}
      : finding;
  }
  const {validTo, names, issuer} = step.value;
  const text = `certificate valid until ${validTo.toISOString().slice(0, 10)}`;
  const proof = `for ${names}; issued by ${issuer}`;
  if (validTo.getTime() - Date.now() > SOON) return ok('tls', text, proof);
  return bad('warn', 'tls', `${text}, which is soon`, {proof, fix: "have the proxy's certificate renewed"});
}

function versionFindings(
  step: Step<ClusterInfo>,
  verified: Step<unknown>,
  expected: string | undefined,
): Finding[] {
  if ('failure' in step) {
    if ('failure' in verified) return [skip('version', 'not known: the web address is not trusted')];
    return [failed('version', step.failure)];
  }
  const {name, version} = step.value;
  if (expected === undefined || name === expected) return [ok('version', `${name}, Teleport ${version}`)];
  const text = `this host is joined to ${expected}, and ${step.value.proxy} belongs to ${name}`;
  return [
    bad('fail', 'version', text, {fix: 'give the address of the right cluster, or leave and join again'}),
  ];
}

function authFinding(step: Step<string>, {first}: Way): Finding {
  if ('failure' in step) return failed('auth', step.failure);
  return ok('auth', `reached through TLS routing at ${first}`, `its certificate is for ${step.value}`);
}

const GROUPS: readonly (readonly [Check, readonly ProblemCode[]])[] = [
  ['identity', ['IDENTITY_REFUSED', 'CLUSTER_UNREACHABLE', 'CLUSTER_UNTRUSTED']],
  ['signer', ['SIGNER_INACTIVE']],
  ['node', ['NODE_MISSING', 'NODE_CHANGED', 'NODE_DUPLICATE']],
];

function askedFindings(asked: Asked | undefined, joined: ClusterTools['joined']): Finding[] {
  if (asked === undefined) {
    if (joined?.identity === 'lost')
      return (['signer', 'node'] as const).map((check) =>
        skip(check, 'not asked for: the identity is of no use'),
      );
    const why = joined === undefined ? 'this host has not joined' : 'this host keeps no identity to ask with';
    return [skip('identity', why), skip('signer', why), skip('node', why)];
  }
  const {online, problems} = asked;
  return GROUPS.flatMap(([check, codes]) => {
    const own = problems.filter(({code}) => codes.includes(code));
    if (!online.accepted && check !== 'identity')
      return [skip(check, 'not known: the cluster does not answer this identity')];
    return findingsOf(check, own, well(check, asked));
  });
}

function well(check: Check, {online}: Asked): Finding {
  if (check === 'identity') return ok(check, 'accepted by the cluster');
  if (check === 'signer')
    return ok(check, `certificates are signed by ${online.hostSigners.join(', ')} (active)`);
  return online.node === 'unwanted'
    ? skip(check, 'this host was joined without a record')
    : ok(check, 'one record, as it should be');
}
