// This host's half of the way: what an earlier join has left, sshd, its configuration, what it serves and whom it trusts.

import {type Glance, isForRootOnly} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {PAM_PLACES, pamPaths} from '../pam/places.js';
import type {Inspection} from '../status/inspect.js';
import type {Asked} from '../status/online.js';
import {isPamProblem} from '../status/pam.js';
import type {Past} from '../status/past.js';
import {type Commands, type Problem, type ProblemCode, refusedConfig} from '../status/problem.js';
import {addressFinding, optionsFinding, servedFindings, sshdFinding} from './daemon.js';
import {bad, type Finding, findingOf, findingsOf, ok, skip} from './finding.js';
import {policyFinding, settingFindings, typesInUse} from './settings.js';
import {authorityFindings, revokedFinding} from './trust.js';

export interface Patient {
  readonly past: Past;
  readonly sight: Glance;
  readonly inspection: Inspection;
  readonly commands: Commands;
}

const RECORD: readonly ProblemCode[] = [
  'NOT_JOINED',
  'UNREADABLE',
  'RECORD_DAMAGED',
  'RECORD_NEWER',
  'RECORD_OF_OTHER_HOST',
  'INTERRUPTED',
  'JOURNAL_UNUSABLE',
  'BUSY',
  'DATA_DIRECTORY_OPEN',
];
const IDENTITY: readonly ProblemCode[] = [
  'IDENTITY_MISSING',
  'IDENTITY_DAMAGED',
  'IDENTITY_EXPIRED',
  'IDENTITY_NOT_YET_VALID',
  'IDENTITY_ENDING',
];
const CONFIG: readonly ProblemCode[] = [
  'LINES_MISSING',
  'FILE_MISSING',
  'FILE_CHANGED',
  'FILE_REPLACED',
  'OVERRIDDEN',
  'NOT_IN_EFFECT',
];
const NAMES: readonly ProblemCode[] = [
  'CERTIFICATE_INVALID',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_NOT_YET_VALID',
  'CERTIFICATE_ENDING',
  'NAMES_MISSING',
  'HOST_KEY_NEW',
  'HOST_KEY_REPLACED',
];

/** Everything about this host itself; `authority` is the type of the key that signs users. */
export async function localFindings(
  host: Host,
  patient: Patient,
  asked: Asked | undefined,
  authority: string,
): Promise<Finding[]> {
  const {past, sight, inspection, commands} = patient;
  const {settings} = past;
  const of = (codes: readonly ProblemCode[]) => (one: Problem) => codes.includes(one.code);
  const {problems, held, names, trusted} = inspection;
  const joined = settings !== undefined;
  return [
    ...recordFindings(past, inspection),
    ...findingsOf('identity', past.problems.filter(of(IDENTITY)), undefined),
    ...(joined ? [await addressFinding(host, sight, settings.address, held)] : []),
    sshdFinding(sight),
    ...configFindings(
      sight,
      problems.filter((one) => of(CONFIG)(one) && !isPamProblem(one)),
      joined,
      commands,
    ),
    optionsFinding(sight),
    ...(joined ? await servedFindings(host, sight, held, commands) : []),
    ...(joined
      ? findingsOf(
          'names',
          problems.filter(of(NAMES)),
          ok('names', `${held.length} certificates for all of ${names.join(', ')}`),
        )
      : []),
    ...(joined ? authorityFindings(trusted, problems, asked, settings.cluster) : []),
    await revokedFinding(host, sight, trusted),
    ...settingFindings(sight, inspection, authority),
    await policyFinding(host, typesInUse(sight, inspection)),
    ...findingsOf('PAM', problems.filter(isPamProblem), pamIsWell(patient)),
  ];
}

/** Nothing is said where PAM was left alone, nor where only root could tell. */
function pamIsWell({past: {settings}, sight: {facts}}: Patient): Finding | undefined {
  const pam = settings?.pam;
  if (typeof pam !== 'object' || facts === undefined) return undefined;
  const {service} = pamPaths(PAM_PLACES);
  const how = pam.shape === 'service' ? `sshd asks for ${service}` : `${service} is part of "${pam.base}"`;
  return ok('PAM', `${how}, which runs the hooks of this site`);
}

function recordFindings(past: Past, {held}: Inspection): Finding[] {
  const problems = past.problems.filter(({code}) => RECORD.includes(code));
  const [only] = problems;
  if (only?.code === 'NOT_JOINED' && problems.length === 1) {
    if (held.length === 0) return [skip('record', only.message, only.fix)];
    const text = 'there is no record of a join, but certificates of one lie here';
    return [bad('fail', 'record', text, {proof: held.map(({file}) => file).join('\n'), fix: only.fix})];
  }
  const since = past.record?.since.slice(0, 10);
  return findingsOf('record', problems, ok('record', `joined to ${past.settings?.cluster} since ${since}`));
}

function configFindings(
  sight: Glance,
  problems: readonly Problem[],
  joined: boolean,
  {doctor: command, asRoot}: Commands,
): Finding[] {
  const {obstacles, facts, daemon, config} = sight;
  const [met] = obstacles;
  const own = findingsOf('config', problems, undefined);
  if (facts !== undefined) {
    const well = joined
      ? `${config} brings our lines in, and nobody overrides them`
      : `${config} is accepted by sshd`;
    return own.length > 0 ? own : [ok('config', well)];
  }
  if (met === undefined || daemon === undefined) return own;
  if (isForRootOnly(met, sight.probe))
    return [
      ...own,
      skip('config', 'only root may see what sshd makes of its configuration', `${asRoot}: ${command}`),
    ];
  if (met.code === 'SSHD_CONFIG_INVALID') return [...own, findingOf('config', refusedConfig(met))];
  return [...own, bad('fail', 'config', met.message, {proof: met.detail ?? '', fix: met.hint ?? ''})];
}
