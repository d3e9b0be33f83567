// What keeps an installed PAM half from working.

import type {Host} from '../../host/host.js';
import type {Probe} from '../../host/probe.js';
import {OUR_TYPES, ownRule, presence} from '../../pam/own-lines.js';
import {place} from '../../pam/place.js';
import {parseStack} from '../../pam/stack.js';
import {identityPaths} from '../changes.js';
import {compareFiles} from '../status/files.js';
import type {Past} from '../status/past.js';
import type {Commands} from '../status/problem.js';
import type {Asked} from './asked.js';
import {type PhaseHooks, printable, refusalOf} from './hooks.js';
import type {Installed} from './installed.js';
import {PAM_PLACES, pamPaths, SERVICE} from './places.js';
import type {ServiceRules} from './rules.js';
import type {StoredPam} from './settings.js';
import {isPamProblemCode, type PamProblem, pamProblem} from './show-problem.js';

export interface FileFindings {
  readonly problems: readonly PamProblem[];
  readonly unseen: readonly string[];
}

/** The files of the record as it wants them; without one, that they are there and can be run. */
export async function fileProblems(
  host: Host,
  {record}: Past,
  {service, script, shape}: Installed,
  {pamModules}: Pick<Probe, 'pamModules'>,
  dataDir: string,
  commands: Commands,
): Promise<FileFindings> {
  const changes = record?.changes.filter(({path}) => isPams(path)) ?? [];
  const identity = identityPaths(dataDir)[0];
  const compared =
    record && (await compareFiles(host, {...record, changes}, {identity, lost: false}, commands));
  const problems = (compared?.problems ?? []).flatMap(({code, message, fix}) =>
    isPamProblemCode(code) ? [pamProblem(code, message, fix)] : [],
  );
  if (pamModules === undefined) {
    const fix = 'install the modules of PAM (libpam-modules on Debian, pam on RHEL, linux-pam on Alpine)';
    problems.push(pamProblem('MODULE_MISSING', 'there is no pam_exec.so on this host', fix));
  }
  const needed = shape === 'by hand' ? [script] : [service, script];
  for (const {file, state} of needed) {
    if (state !== 'missing' || problems.some(({message}) => message.startsWith(`${file} `))) continue;
    problems.push(pamProblem('FILE_MISSING', `${file} is gone`, commands.repair));
  }
  const told = problems.some(({message}) => message.startsWith(`${script.file} `));
  const refusal = told || script.state === 'missing' ? undefined : await refusalOf(host, script.file);
  if (refusal !== undefined)
    problems.push(pamProblem('SCRIPT_UNUSABLE', `${script.file}: ${refusal.reason}`, refusal.fix));
  return {problems, unseen: compared?.unseen ?? []};
}

function isPams(path: string): boolean {
  const {directory, services} = PAM_PLACES;
  return path === directory || path.startsWith(`${directory}/`) || path.startsWith(`${services}/`);
}

/** Whether sshd comes by our rules at a login. `known`: what is wrong with the files already. */
export function reachProblems(
  {usePam, service}: Asked,
  installed: Installed,
  rules: ServiceRules | undefined,
  stored: StoredPam,
  known: readonly {readonly message: string}[],
  commands: Commands,
): {readonly problems: readonly PamProblem[]; readonly notes: readonly string[]} {
  const none = {problems: [], notes: []};
  const only = (one: PamProblem) => ({problems: [one], notes: []});
  if (usePam === false) {
    const text = 'sshd has UsePAM no, so it reads no service of PAM and runs no hook';
    return only(pamProblem('PAM_UNUSED', text, 'set UsePAM yes in its configuration, and reload it'));
  }
  if (rules === undefined || service === undefined) return none;
  const denied = denialProblems(rules);
  if (denied.length > 0) return {problems: denied, notes: []};
  const {shape} = installed;
  const base = typeof stored === 'object' ? stored.base : undefined;
  const wanted = shape === 'service' ? SERVICE : shape === 'add-on' ? base : undefined;
  if (wanted !== undefined && wanted !== service) {
    const text = `sshd asks PAM for "${service}", and not for "${wanted}"`;
    return only(pamProblem('SERVICE_NOT_ASKED', text, commands.repair));
  }
  const required = typeof stored === 'object' && stored.required;
  const lines = shape === 'add-on' ? lineProblems(rules, required, commands) : none;
  if (lines.problems.length > 0) return lines;
  const explained = known.some(({message}) => message.startsWith(`${installed.service.file} `));
  return {problems: explained ? [] : unreached(rules, commands), notes: lines.notes};
}

function denialProblems({file, types}: ServiceRules): PamProblem[] {
  return (['account', 'session'] as const).flatMap((type) => {
    const {passes, faults} = types[type];
    if (passes) return [];
    const [fault] = faults;
    const why = fault === undefined ? '' : `: line ${fault.line}, ${fault.problem}`;
    const text = `PAM refuses every login by the ${type} rules of ${file ?? 'a service that has no file'}${why}`;
    return [pamProblem('LOGINS_DENIED', text, `mend ${file ?? PAM_PLACES.services} while you are logged in`)];
  });
}

/** Two lines stand in a file of the site's, where they take effect and change nothing else. */
function lineProblems({file, text, includes}: ServiceRules, required: boolean, {repair}: Commands) {
  const found = presence(parseStack(text).lines);
  const only = (one: PamProblem) => ({problems: [one], notes: []});
  const missing = found.kind === 'absent' ? OUR_TYPES : found.kind === 'half' ? [found.missing] : [];
  if (missing.length > 0) {
    const lines = missing.map((type) => ownRule(type, SERVICE)).join(', ');
    return only(pamProblem('LINES_MISSING', `${lines} in ${file}`, repair));
  }
  if (found.kind === 'damaged')
    return only(
      pamProblem(
        'LINES_DAMAGED',
        `${file} line ${found.line} ${found.problem}`,
        `take out what is left of ours in ${file}, then: ${repair}`,
      ),
    );
  const placed = place(text, {service: SERVICE, required, includes});
  if (placed.kind === 'refused')
    return only(pamProblem('LINES_MISPLACED', `${file}: ${placed.reason}`, `mend that, then: ${repair}`));
  if (placed.text !== text)
    return only(
      pamProblem('LINES_MISPLACED', `our lines in ${file} stand where they no longer work as meant`, repair),
    );
  return {problems: [], notes: placed.notes.map((note) => `${file}: ${note}`)};
}

/** A site's own rules may call the script in one phase only. */
function unreached({file, types}: ServiceRules, {repair}: Commands): PamProblem[] {
  const ours = (type: 'account' | 'session') => types[type].rules.filter((rule) => rule.ours);
  if (ours('account').length + ours('session').length === 0) {
    const {script} = pamPaths(PAM_PLACES);
    return [pamProblem('NOT_REACHED', `no rule that sshd comes by calls ${script}`, repair)];
  }
  return (['account', 'session'] as const).flatMap((type) => {
    const mine = ours(type);
    if (mine.length === 0 || mine.some(({reached}) => reached)) return [];
    const end = types[type].rules.findLast(({reached}) => reached);
    const text = `the ${type} rules of ${file} end before ours: line ${end?.line} lets a login in`;
    return [pamProblem('NOT_REACHED', text, repair)];
  });
}

export function hookProblems(phases: readonly PhaseHooks[]): PamProblem[] {
  return phases.flatMap(({hooks = []}) =>
    hooks.flatMap(({verdict, file, reason = '', fix = ''}) =>
      verdict === 'left out'
        ? [pamProblem('HOOK_LEFT_OUT', `${printable(file)} does not run: ${reason}`, fix)]
        : [],
    ),
  );
}
