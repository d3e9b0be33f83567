// Whether sshd still comes by what a join has PAM do, as `pam show` sees it: who has taken our lines out, or put others before
// them, is told of. That our own files are as they were is compared with those of the record.

import type {Glance} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {firstGlobal, settings} from '../../ssh/sshd-config/index.js';
import {whatSshdAsks} from '../pam/asked.js';
import {readInstalled} from '../pam/installed.js';
import {PAM_PLACES, pamPaths, SERVICE} from '../pam/places.js';
import {rulesOf} from '../pam/rules.js';
import {reachProblems} from '../pam/show-checks.js';
import type {PamProblem} from '../pam/show-problem.js';
import {isPams} from '../pam/take-back.js';
import type {Placed} from './intent.js';
import type {Past} from './past.js';
import {type Commands, type Problem, type ProblemCode, problem} from './problem.js';

const CODES: Partial<Record<PamProblem['code'], ProblemCode>> = {
  PAM_UNUSED: 'PAM_UNUSED',
  LINES_MISSING: 'PAM_LINES_MISSING',
  LOGINS_DENIED: 'LOGINS_DENIED',
};

/** What is known without a process more. `placed`: where sshd reads our lines; undefined when it is told already that it does not. */
export async function pamProblems(
  host: Host,
  {past, sight, commands}: {readonly past: Past; readonly sight: Glance; readonly commands: Commands},
  placed: Placed | undefined,
  known: readonly Problem[],
): Promise<readonly Problem[]> {
  const stored = past.settings?.pam;
  const asked = whatSshdAsks(sight);
  // Without an answer of sshd there is an obstacle that is told of.
  if (typeof stored !== 'object' || sight.facts === undefined || asked.service === undefined) return [];
  const rules = await rulesOf(host, PAM_PLACES.services, asked.service, pamPaths(PAM_PLACES).script);
  const installed = await readInstalled(host, past, sight.config, rules);
  const {problems} = reachProblems(asked, installed, rules, stored, known, commands);
  return problems.flatMap((one) => {
    const isNamed = one.code === 'SERVICE_NOT_ASKED' && stored.shape === 'service';
    if (isNamed) return placed === undefined ? [] : [notAsked(sight, placed, commands)];
    return [problem(CODES[one.code] ?? 'PAM_NOT_REACHED', one.message, one.fix)];
  });
}

/** The line is gone, or another one comes first: sshd takes the first. */
function notAsked({tree, dialect}: Glance, {path}: Placed, {repair}: Commands): Problem {
  const line = `PAMServiceName ${SERVICE}`;
  const first = tree && firstGlobal(settings(tree, dialect), 'pamservicename');
  if (first === undefined) return problem('PAM_LINES_MISSING', `${line} in ${path}`, repair);
  const [value = ''] = first.args;
  const [rival, way] =
    value === SERVICE
      ? ["another name on sshd's command line", 'start sshd without it']
      : [`PAMServiceName ${value} in ${first.file} line ${first.line}`, 'take that line out and reload sshd'];
  const fix = `${way}; or do without PAM: sudo agentless join openssh --no-pam`;
  return problem('PAM_NOT_REACHED', `${rival} wins over our ${line}`, fix);
}

const PAM_CODES: readonly ProblemCode[] = [
  'PAM_UNUSED',
  'PAM_LINES_MISSING',
  'PAM_NOT_REACHED',
  'LOGINS_DENIED',
];

/** Whether a problem is about the PAM half of a join; those of a file begin with its path. */
export function isPamProblem({code, message}: Problem): boolean {
  return PAM_CODES.includes(code) || (/^FILE_/.test(code) && isPams(message.split(' ')[0] ?? ''));
}
