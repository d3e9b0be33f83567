// From flags to a cluster: as anybody, or as the person or bot whose identity is given.

import {readFile} from 'node:fs/promises';
import type {Cluster, Operator} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {operatorOf} from '../operations/operator.js';
import type {Connect, Trust} from '../operations/settings.js';
import {readIdentity} from './identity.js';

/** connectionFlags as parsed. */
export interface ConnectionFlags {
  readonly 'proxy-server': string | undefined;
  readonly 'ca-file': readonly string[] | undefined;
  readonly 'ca-pin': readonly string[] | undefined;
  readonly insecure: boolean;
  readonly timeout: number;
}

export interface OperatorFlags extends ConnectionFlags {
  readonly identity: string | undefined;
}

export interface Surroundings {
  readonly clientVersion: string;
  readonly warn: (text: string) => void;
}

/** What the flags say about whom to trust; the files have been read. */
export async function trustFrom(flags: Pick<ConnectionFlags, 'ca-file' | 'ca-pin'>): Promise<Trust> {
  const texts = await Promise.all((flags['ca-file'] ?? []).map(readAuthorities));
  return {webAuthorities: texts.map(certificatesIn), caPins: flags['ca-pin'] ?? []};
}

/** A file may hold more than certificates, and what is trusted is stored. */
function certificatesIn(text: string): string {
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]*CERTIFICATE)-----[\s\S]*?-----END \1-----/g);
  return blocks === null ? text : `${blocks.join('\n')}\n`;
}

/**
 * What opens the cluster behind a proxy; the files that the flags name have been read. What is stored counts besides the
 * authorities that they name, and in place of pins that they do not name.
 */
export async function connectionFrom(
  flags: Omit<ConnectionFlags, 'proxy-server'>,
  {clientVersion, warn}: Surroundings,
): Promise<Connect> {
  const {webAuthorities, caPins} = await trustFrom(flags);
  return async (proxy, stored) => {
    // It brings the wire's libraries with it, which what is asked first need not wait for.
    const {connect} = await import('../cluster/client.js');
    return connect({
      proxy,
      caFile: [...new Set([...webAuthorities, ...(stored?.webAuthorities ?? [])])],
      caPin: caPins.length > 0 ? caPins : (stored?.caPins ?? []),
      insecure: flags.insecure,
      clientVersion,
      deadline: flags.timeout * 1000,
      env: process.env,
      onWarning: warn,
    });
  };
}

/**
 * Does something as the person or bot of --identity, and hangs up. A signal hangs up at once. `work` may also ask the
 * cluster where it is.
 */
export async function asOperator<T>(
  flags: OperatorFlags,
  surroundings: Surroundings,
  signal: AbortSignal,
  work: (operator: Operator, cluster: Cluster) => Promise<T>,
): Promise<T> {
  const proxy = required(flags['proxy-server'], '--proxy-server', 'AGENTLESS_PROXY_SERVER');
  const path = required(flags.identity, '--identity', 'AGENTLESS_IDENTITY');
  const identity = await readIdentity(path, surroundings.warn);
  const {clientVersion, warn} = surroundings;
  const unverified = `the certificate of ${proxy} is not verified (--insecure); the auth service behind it is, by the identity`;
  const cluster = await (await connectionFrom(flags, {clientVersion, warn: () => warn(unverified)}))(proxy);
  const hangUp = () => {
    cluster.close().catch(() => undefined);
  };
  if (signal.aborted) hangUp();
  signal.addEventListener('abort', hangUp, {once: true});
  try {
    return await work(await operatorOf(cluster, identity), cluster);
  } finally {
    signal.removeEventListener('abort', hangUp);
    await cluster.close();
  }
}

function required(value: string | undefined, flag: string, variable: string): string {
  if (value !== undefined && value !== '') return value;
  throw new Failure('USAGE', `${flag} is missing`, {hint: `give ${flag}, or set ${variable}`});
}

async function readAuthorities(path: string): Promise<string> {
  const text = await readFile(path, 'latin1').catch((cause: unknown) => {
    throw new Failure('USAGE', `cannot read the authority file ${path}`, {
      cause,
      hint: 'give a readable PEM file with --ca-file',
    });
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new Failure('USAGE', `${path} holds no PEM certificate`, {hint: 'give a PEM file with --ca-file'});
}
