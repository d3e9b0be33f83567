// How the PAM half of a host stands: what is installed and in which shape, whether sshd comes by it, which hooks a login
// runs. Works on any host, changes nothing, and says what this user could not see.

import {type Glance, glance} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {probe} from '../../host/probe.js';
import {ReadOnlyHost} from '../../host/read-only.js';
import {type Past, readPast} from '../status/past.js';
import {type Commands, commandsFor, USUAL} from '../status/problem.js';
import {type Asked, whatSshdAsks} from './asked.js';
import {type PhaseHooks, readHooks} from './hooks.js';
import {type Installed, readInstalled, type Shape} from './installed.js';
import {PAM_PLACES, pamPaths} from './places.js';
import {type PamRule, rulesOf, type ServiceRules} from './rules.js';
import {fileProblems, hookProblems, reachProblems} from './show-checks.js';
import type {PamProblem} from './show-problem.js';

export interface PamReport {
  readonly host: string;
  readonly shape: Shape;
  /** As it was installed; absent where nothing is on record, or this user may not read it. */
  readonly settings?: {
    readonly base: string;
    readonly control: 'optional' | 'required';
    readonly motd?: string;
    readonly auth: boolean;
  };
  readonly sshd: {
    readonly config: string;
    /** Absent: nobody could tell. */
    readonly usePam?: boolean;
    readonly service?: string;
    /** Where PAM finds that service; that of "other" where it has no file. */
    readonly file?: string;
  };
  /** pam_exec.so */
  readonly module?: string;
  readonly service: Installed['service'];
  readonly script: Installed['script'];
  /** In the shape of an add-on: where our lines stand in the service of sshd. */
  readonly lines?: {readonly account: number; readonly session: number};
  /** What sshd runs for a login, in order; absent where it asks no PAM. */
  readonly rules?: {readonly account: readonly PamRule[]; readonly session: readonly PamRule[]};
  readonly hooks: readonly {
    readonly phase: PhaseHooks['phase'];
    readonly directory: string;
    /** Absent: this user may not look. */
    readonly hooks?: NonNullable<PhaseHooks['hooks']>;
  }[];
  /** Ready-made hooks, with the paths of the links that switch them on. */
  readonly ready: readonly {
    readonly name: string;
    readonly file: string;
    readonly linked: readonly string[];
  }[];
  /** What cannot be had where our lines stand. */
  readonly notes: readonly string[];
  readonly unseen: readonly string[];
  /** Empty: all that is installed works, or nothing is. */
  readonly problems: readonly PamProblem[];
}

export interface ShowWish {
  readonly dataDir: string;
  /** The one of the record when absent, else the usual one. */
  readonly config?: string;
}

export async function showPam(machine: Host, {dataDir, config: given}: ShowWish): Promise<PamReport> {
  const host = new ReadOnlyHost(machine);
  const place = {dataDir, config: given ?? USUAL.config, reachedBy: host.reachedBy};
  const probing = probe(host);
  const past = await readPast(host, place);
  const commands = commandsFor(place, past.settings);
  const sight = await glance(host, given ?? past.settings?.config ?? USUAL.config, probing);
  const asked = whatSshdAsks(sight);
  const {script} = pamPaths(PAM_PLACES);
  const [hooks, ready, rules] = await Promise.all([
    readHooks(host, PAM_PLACES),
    readReady(host),
    asked.service === undefined ? undefined : rulesOf(host, PAM_PLACES.services, asked.service, script),
  ]);
  const installed = await readInstalled(host, past, sight.config, rules);
  const checks = await check(host, {past, sight, asked, installed, rules, hooks, dataDir, commands});
  return {
    host: past.settings?.hostname ?? host.name,
    shape: installed.shape,
    ...settingsOf(past),
    sshd: {
      config: sight.config,
      ...(asked.usePam !== undefined && {usePam: asked.usePam}),
      ...(asked.service !== undefined && {service: asked.service}),
      ...(rules?.file !== undefined && {file: rules.file}),
    },
    ...(sight.probe.pamModules !== undefined && {module: `${sight.probe.pamModules}/pam_exec.so`}),
    service: installed.service,
    script: installed.script,
    ...(installed.lines && {lines: installed.lines}),
    ...(rules &&
      asked.usePam !== false && {
        rules: {account: rules.types.account.rules, session: rules.types.session.rules},
      }),
    hooks: hooks.map(({phase, directory, hooks: found}) => ({
      phase,
      directory,
      ...(found && {hooks: found}),
    })),
    ready: ready.map((one) => ({...one, linked: linksTo(one.file, hooks)})),
    notes: checks.notes,
    unseen: [...unseenPast(past, dataDir), ...asked.unseen, ...unseenHooks(hooks), ...checks.unseen],
    problems: checks.problems,
  };
}

interface Findings {
  readonly past: Past;
  readonly sight: Glance;
  readonly asked: Asked;
  readonly installed: Installed;
  readonly rules: ServiceRules | undefined;
  readonly hooks: readonly PhaseHooks[];
  readonly dataDir: string;
  readonly commands: Commands;
}

async function check(host: Host, findings: Findings) {
  const {past, sight, asked, installed, rules, hooks, dataDir, commands} = findings;
  const {shape} = installed;
  if (shape === 'not installed' || shape === 'left alone') return {problems: [], notes: [], unseen: []};
  const files = await fileProblems(host, past, installed, sight.probe, dataDir, commands);
  const reach = reachProblems(asked, installed, rules, past.settings?.pam, files.problems, commands);
  return {
    problems: [...reach.problems, ...files.problems, ...hookProblems(hooks)],
    notes: reach.notes,
    unseen: files.unseen,
  };
}

function settingsOf({settings}: Past): Pick<PamReport, 'settings'> {
  const pam = settings?.pam;
  if (typeof pam !== 'object') return {};
  const {base, required, motd, auth} = pam;
  const control = required ? 'required' : 'optional';
  return {settings: {base, control, auth, ...(motd !== undefined && {motd})}};
}

async function readReady(host: Host) {
  const directory = pamPaths(PAM_PLACES).ready;
  const entry = await host.look(directory).catch(() => undefined);
  const names = entry?.kind === 'directory' ? entry.names : [];
  return names.map((name) => ({name, file: `${directory}/${name}`}));
}

function linksTo(file: string, phases: readonly PhaseHooks[]): string[] {
  return phases.flatMap(({hooks = []}) =>
    hooks.filter(({real, target}) => target !== undefined && real === file).map((hook) => hook.file),
  );
}

function unseenPast({state}: Past, dataDir: string): string[] {
  return state === 'unknown' ? [`what a join has installed: ${dataDir} cannot be read`] : [];
}

function unseenHooks(phases: readonly PhaseHooks[]): string[] {
  return phases.filter(({hooks}) => hooks === undefined).map(({directory}) => directory);
}
