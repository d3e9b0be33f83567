// From flags to the operation: opens this host and the cluster, runs `join`, says how it went. Loaded only when a join is
// really run, so that help stays quick.

import {userInfo} from 'node:os';
import {gatherProof, type JoinMethod} from '../../cluster/proof.js';
import {Failure} from '../../errors.js';
import type {Host} from '../../host/host.js';
import type {Admission} from '../../operations/admission.js';
import {join} from '../../operations/join.js';
import type {Joined} from '../../operations/joined.js';
import {provision} from '../../operations/pam/provision.js';
import type {JoinWish, Trust} from '../../operations/settings.js';
import {parseLabels} from '../../ssh/labels.js';
import {confirm} from '../confirm.js';
import {type ConnectionFlags, connectionFrom, trustFrom} from '../connection.js';
import {parseTtl} from '../duration.js';
import type {Outcome} from '../envelope.js';
import {type ReloadFlags, reloadFrom} from '../host-flags.js';
import {atMachine, type MachineFlags, type Reached} from '../machine.js';
import type {TextReporter} from '../reporter.js';
import {type LabelFlags, labelSourcesFrom} from './label-flags.js';
import {type NodeIdFlag, nodeIdFrom} from './node-flags.js';
import {type PamFlags, pamFrom} from './pam-flags.js';

/** The `result` of the envelope. */
export type JoinReport = Omit<Joined, 'changed'>;

/** The flags of `join openssh` as parsed. */
export interface JoinFlags
  extends ConnectionFlags,
    MachineFlags,
    ReloadFlags,
    PamFlags,
    LabelFlags,
    NodeIdFlag {
  readonly 'join-method': JoinMethod;
  readonly hostname: string | undefined;
  readonly address: string | undefined;
  readonly labels: readonly string[] | undefined;
  readonly 'additional-principals': readonly string[] | undefined;
  readonly 'openssh-config': string;
  readonly 'data-dir': string;
  readonly 'prove-login': readonly string[] | undefined;
  readonly register: boolean;
  readonly 'dry-run': boolean;
  readonly yes: boolean;
  readonly expires: string | undefined;
  readonly 'allow-fewer-names': boolean;
  readonly 'discard-identity': boolean | undefined;
  readonly rehearsal: boolean;
  /** Absent on a plain join. */
  readonly adopt?: boolean;
}

export async function joinFromFlags(
  flags: JoinFlags,
  admission: Admission | Failure | undefined,
  report: Pick<TextReporter, 'heading' | 'step' | 'warn'>,
  signal: AbortSignal,
  clientVersion: string,
): Promise<Outcome<JoinReport>> {
  const method = flags['join-method'];
  if (flags.host !== undefined && method !== 'token') {
    throw new Failure('USAGE', `--join-method ${method} speaks for this machine, not for ${flags.host}`, {
      hint: 'run it on the host itself, or join it with a token or --identity',
    });
  }
  const [connect, trust] = await Promise.all([
    connectionFrom(flags, {clientVersion, warn: (text) => report.warn(text)}),
    trustFrom(flags),
  ]);
  return atMachine({...flags, signal}, async (host, reached) => {
    const made = await provisioned(host, flags, report, signal);
    const joining = join(
      {
        host,
        connect,
        ...(method !== 'token' && {gatherProof: () => gatherProof(method, process.env)}),
        report,
        confirm,
        signal,
      },
      {...wishOf(flags, admission, reached), ...(isSaid(trust) && {trust})},
    );
    const {changed, ...result} = await joining;
    return {changed: changed || made, result};
  });
}

/** True when accounts were made. They stay, whatever becomes of the join: each is a thing of its own. */
async function provisioned(
  host: Host,
  {'provision-logins': logins, 'dry-run': dryRun}: JoinFlags,
  report: Pick<TextReporter, 'step' | 'warn'>,
  signal: AbortSignal,
): Promise<boolean> {
  if (logins === undefined) return false;
  const start = performance.now();
  const {changed, accounts} = await provision({host, report, signal}, {logins, home: true, dryRun});
  const text = accounts.map(
    ({login, state}) => `${login} ${state === 'exists' ? 'exists' : dryRun ? 'would be made' : 'made'}`,
  );
  report.step('provision', text.join(', '), performance.now() - start);
  return changed;
}

/** Shorter ones end between two runs of a timer. */
const SHORTEST_RECORD = 600;

function lifetime(text: string): number {
  if (text === 'never') return 0;
  const seconds = parseTtl(text, '--expires');
  if (seconds >= SHORTEST_RECORD) return seconds;
  throw new Failure('USAGE', `--expires ${text} is too short`, {
    hint: 'a record is renewed by `agentless renew`, so give it a few runs of that: at least 10m',
  });
}

const isSaid = ({webAuthorities, caPins}: Trust) => webAuthorities.length + caPins.length > 0;

function wishOf(
  flags: JoinFlags,
  admission: Admission | Failure | undefined,
  reached: Reached | undefined,
): JoinWish {
  const labels = flags.labels?.map(parseLabels);
  const principals = flags['additional-principals']?.flatMap((text) =>
    text.split(',').map((one) => one.trim()),
  );
  return {
    ...defined('proxy', flags['proxy-server']),
    ...(admission instanceof Failure ? {noAdmission: admission} : defined('admission', admission)),
    ...defined('discardIdentity', flags['discard-identity']),
    ...defined('hostname', flags.hostname),
    ...defined('expires', flags.expires === undefined ? undefined : lifetime(flags.expires)),
    ...(flags['allow-fewer-names'] && {fewerNames: true}),
    ...defined('address', flags.address),
    ...defined('labels', labels && Object.assign({}, ...labels)),
    ...defined('labelSources', labelSourcesFrom(flags)),
    ...defined('nodeId', nodeIdFrom(flags, flags['join-method'])),
    ...defined(
      'additionalPrincipals',
      principals?.filter((name) => name !== ''),
    ),
    ...reloadFrom(flags),
    config: flags['openssh-config'],
    ...(flags.adopt && {adopt: true}),
    rehearse: flags.rehearsal,
    invoker: reached?.login ?? process.env['SUDO_USER'] ?? userInfo().username,
    ...defined('reachedAt', reached?.address),
    pam: pamFrom(flags),
    dataDir: flags['data-dir'],
    register: flags.register,
    proveLogins: flags['prove-login'] ?? [],
    dryRun: flags['dry-run'],
    replace: flags.yes,
  };
}

function defined<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({[key]: value} as Record<K, V>);
}
