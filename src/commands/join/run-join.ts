// From flags to the operation: opens this host and the cluster, runs `join`, says how it went. Loaded only when a join is
// really run, so that help stays quick.

import {readFile} from 'node:fs/promises';
import {connect} from '../../cluster/client.js';
import {gatherProof, type JoinMethod} from '../../cluster/proof.js';
import {Failure, type Secret} from '../../errors.js';
import {LocalHost} from '../../host/local.js';
import {join} from '../../operations/join.js';
import type {Joined} from '../../operations/joined.js';
import type {JoinWish} from '../../operations/settings.js';
import {parseLabels} from '../../ssh/labels.js';
import type {Outcome} from '../envelope.js';
import type {TextReporter} from '../reporter.js';

/** The `result` of the envelope. */
export type JoinReport = Omit<Joined, 'changed'>;

/** The flags of `join openssh` as parsed. */
export interface JoinFlags {
  readonly 'proxy-server': string | undefined;
  readonly 'ca-file': readonly string[] | undefined;
  readonly 'ca-pin': readonly string[] | undefined;
  readonly 'join-method': JoinMethod;
  readonly insecure: boolean;
  readonly hostname: string | undefined;
  readonly address: string | undefined;
  readonly labels: readonly string[] | undefined;
  readonly 'additional-principals': readonly string[] | undefined;
  readonly 'openssh-config': string;
  readonly 'data-dir': string;
  readonly 'restart-sshd': boolean;
  readonly 'sshd-check-command': string | undefined;
  readonly 'sshd-restart-command': string | undefined;
  readonly 'prove-login': readonly string[] | undefined;
  readonly register: boolean;
  readonly 'dry-run': boolean;
  readonly timeout: number;
  readonly yes: boolean;
}

export async function joinFromFlags(
  flags: JoinFlags,
  token: Secret | undefined,
  report: Pick<TextReporter, 'heading' | 'step' | 'warn'>,
  signal: AbortSignal,
  clientVersion: string,
): Promise<Outcome<JoinReport>> {
  const method = flags['join-method'];
  const authorities = await Promise.all((flags['ca-file'] ?? []).map(readAuthorities));
  const joining = join(
    {
      host: new LocalHost(),
      connect: (proxy) =>
        connect({
          proxy,
          caFile: authorities,
          caPin: flags['ca-pin'] ?? [],
          insecure: flags.insecure,
          clientVersion,
          deadline: flags.timeout * 1000,
          env: process.env,
          onWarning: (text) => report.warn(text),
        }),
      ...(method !== 'token' && {gatherProof: () => gatherProof(method, process.env)}),
      report,
      confirm,
      signal,
    },
    wishOf(flags, token),
  );
  const {changed, ...result} = await joining;
  return {changed, result};
}

function wishOf(flags: JoinFlags, token: Secret | undefined): JoinWish {
  const labels = flags.labels?.map(parseLabels);
  const principals = flags['additional-principals']?.flatMap((text) =>
    text.split(',').map((one) => one.trim()),
  );
  return {
    ...defined('proxy', flags['proxy-server']),
    ...defined('token', token),
    ...defined('hostname', flags.hostname),
    ...defined('address', flags.address),
    ...defined('labels', labels && Object.assign({}, ...labels)),
    ...defined(
      'additionalPrincipals',
      principals?.filter((name) => name !== ''),
    ),
    ...defined('checkCommand', flags['sshd-check-command']),
    ...defined('reloadCommand', flags['sshd-restart-command']),
    config: flags['openssh-config'],
    dataDir: flags['data-dir'],
    reload: flags['restart-sshd'],
    register: flags.register,
    proveLogins: flags['prove-login'] ?? [],
    dryRun: flags['dry-run'],
    replace: flags.yes,
  };
}

function defined<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({[key]: value} as Record<K, V>);
}

export async function readAuthorities(path: string): Promise<string> {
  const text = await readFile(path, 'latin1').catch((cause: unknown) => {
    throw new Failure('USAGE', `cannot read the authority file ${path}`, {
      cause,
      hint: 'give a readable PEM file with --ca-file',
    });
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new Failure('USAGE', `${path} holds no PEM certificate`, {hint: 'give a PEM file with --ca-file'});
}

/** Asks only a person at a terminal; everybody else has --yes. */
async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const prompts = await import('@inquirer/prompts');
  return prompts.confirm({message: question, default: false}, {output: process.stderr});
}
