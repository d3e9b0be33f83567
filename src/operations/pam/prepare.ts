// Whether and how PAM takes part in a join: what stands there is read, and nothing is changed.

import {basename, dirname, join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import {DEFAULT_CONFIG} from '../../host/daemon.js';
import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {type Placed, parseStack, place} from '../../pam/index.js';
import {OWNER_LINE} from '../layout.js';
import type {Reporter} from '../reporter.js';
import type {JoinSettings, JoinWish} from '../settings.js';
import {PAM_PLACES, pamPaths, SERVICE} from './places.js';
import {readIncludes, readService} from './service-files.js';
import {addOnText, serviceText} from './service-text.js';
import {type PamSettings, planOf} from './settings.js';

export interface ServiceFile {
  readonly path: string;
  readonly text: string;
  /** What stands there now, of a file that is the site's. */
  readonly standing?: string;
}

export interface Pam {
  readonly settings: PamSettings;
  /** Lines for sshd's configuration. */
  readonly directives: readonly string[];
  /** What cannot be had where our lines stand. */
  readonly notes: readonly string[];
  /** The services, those that others include first; under another name, with another script, for a rehearsal. */
  readonly services: (name: string, script: string) => readonly ServiceFile[];
  /** They stay as they are, whatever they are: this is a renewal, or somebody has changed what they stand in. */
  readonly frozen?: true;
}

/**
 * Undefined: PAM is left alone, with a warning where one could have expected otherwise. HOST_UNSUITABLE where it was
 * insisted on and cannot be had. `before`: what an earlier join of this host has stored.
 */
export async function preparePam(
  {host, report}: {readonly host: Host; readonly report: Reporter},
  facts: HostFacts,
  wish: Pick<JoinWish, 'pam' | 'keepDrift'>,
  before?: Pick<JoinSettings, 'pam'>,
): Promise<Pam | undefined> {
  const plan = planOf(wish.pam ?? {}, before?.pam, before === undefined);
  if (plan === undefined) return undefined;
  const {insist, ...wanted} = plan;
  const stored = typeof before?.pam === 'object' ? before.pam : undefined;
  // A renewal has no login that could try what PAM would do, and nobody to ask for one.
  if (stored !== undefined && wish.keepDrift) return frozen(stored);
  try {
    const {shape, base} = stored ?? shapeFor(facts, insist);
    const pam = await pamAs(host, {...wanted, shape, base});
    if (stored === undefined) {
      await refuseUnwritable(host, pam);
      // That hooks see logins that are refused later is so on every stock Debian: who has asked for PAM is told.
      if (insist) for (const note of pam.notes) report.warn(note);
    }
    return pam;
  } catch (error) {
    if (!(error instanceof Obstacle)) throw error;
    if (insist) throw new Failure('HOST_UNSUITABLE', error.message, {hint: error.hint});
    if (stored !== undefined) {
      report.warn(`what PAM does for us stays as it is: ${error.message}`);
      return frozen(stored);
    }
    if (!error.quiet) report.warn(`PAM is left alone: ${error.message}`);
    return undefined;
  }
}

const frozen = (settings: PamSettings): Pam => ({
  settings,
  directives: directivesOf(settings),
  notes: [],
  services: () => [],
  frozen: true,
});

/** What is kept of it in the record. */
export function rememberedPam(
  {pam}: Pick<JoinWish, 'pam'>,
  prepared: Pam | undefined,
  before?: Pick<JoinSettings, 'pam'>,
): Pick<JoinSettings, 'pam'> {
  if (prepared !== undefined) return {pam: prepared.settings};
  return pam?.choice === 'none' || before?.pam === 'none' ? {pam: 'none'} : {};
}

const directivesOf = ({shape}: PamSettings): readonly string[] =>
  shape === 'service' ? [`PAMServiceName ${SERVICE}`] : [];

/** Why PAM cannot take part here. `quiet`: nobody would expect it to. */
class Obstacle extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly quiet = false,
  ) {
    super(message);
  }
}

function shapeFor(facts: HostFacts, insist: boolean): Pick<PamSettings, 'shape' | 'base'> {
  const {probe, effective, config, daemon} = facts;
  if (effective.one('usepam') !== 'yes') {
    throw new Obstacle(
      'sshd has UsePAM no, so it would read none of its files',
      'set UsePAM yes first',
      true,
    );
  }
  if (probe.pamModules === undefined)
    throw new Obstacle(
      'there is no pam_exec.so on this host',
      'install the modules of PAM (libpam-modules, pam)',
      true,
    );
  if (probe.uid !== 0)
    throw new Obstacle(`${PAM_PLACES.services} can be written by root only`, 'run this with sudo', true);
  if (config !== DEFAULT_CONFIG && !insist) {
    const hint = `${PAM_PLACES.services} is shared by every sshd of this host; give --pam if that is meant`;
    throw new Obstacle('this is not the configuration of the system', hint, true);
  }
  // Asked, not told by the version: from 9.8 on sshd shows the keyword that names its service.
  const service = effective.one('pamservicename');
  return service === undefined
    ? {shape: 'add-on', base: basename(daemon.process?.argv[0] ?? daemon.program)}
    : {shape: 'service', base: service};
}

async function pamAs(host: Host, settings: PamSettings): Promise<Pam> {
  await refuseForeign(host);
  const {base} = settings;
  const path = join(PAM_PLACES.services, base);
  const found = await readService(host, PAM_PLACES.services, base);
  // One that a distribution keeps elsewhere is not ours to add to.
  if (found?.path !== path) {
    const hint = `PAM goes by ${PAM_PLACES.services}/other then; make a ${path} first`;
    throw new Obstacle(`there is no ${path} to build on`, hint);
  }
  const {text} = found;
  if (settings.shape === 'service') {
    return {
      settings,
      directives: directivesOf(settings),
      notes: [],
      services: (name, script) => [serviceFile(name, serviceText(settings, parseStack(text), name, script))],
    };
  }
  await refuseLink(host, path);
  const included = await readIncludes(host, PAM_PLACES.services, [parseStack(text)]);
  const {script} = pamPaths(PAM_PLACES);
  const placed = (name: string): Placed => {
    const includes = new Map([...included, [name, addOnText(settings, name, script)]]);
    const found = place(text, {service: name, required: settings.required, includes});
    if (found.kind === 'placed') return found;
    const line = found.line === undefined ? '' : ` (line ${found.line})`;
    throw new Obstacle(
      `${path}: ${found.reason}${line}`,
      `call ${script} from ${path} yourself where it is to run`,
    );
  };
  return {
    settings,
    directives: directivesOf(settings),
    notes: placed(SERVICE).notes.map((note) => `${path}: ${note}`),
    services: (name, where) => {
      // Under its own name it is what sshd includes; under another it must not be mistaken for that.
      const addOn = name === SERVICE ? name : `${name}-add-on`;
      const main = name === SERVICE ? base : name;
      const site = {...serviceFile(main, placed(addOn).text), standing: text};
      return [serviceFile(addOn, addOnText(settings, addOn, where)), site];
    },
  };
}

function serviceFile(name: string, text: string): ServiceFile {
  return {path: join(PAM_PLACES.services, name), text};
}

/** What it points to may be made anew by whatever made the link, without our lines. */
async function refuseLink(host: Host, path: string): Promise<void> {
  const entry = await host.look(path);
  if (entry?.kind !== 'symlink') return;
  throw new Obstacle(
    `${path} is a symbolic link to ${entry.target}`,
    'put our lines where that file is made',
  );
}

/** A file of that name that somebody else has made stays. */
async function refuseForeign(host: Host): Promise<void> {
  const {service} = pamPaths(PAM_PLACES);
  const entry = await host.look(service);
  if (entry === undefined) return;
  const text = entry.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : '';
  if (text.split('\n').slice(0, 3).includes(OWNER_LINE)) return;
  throw new Obstacle(
    `${service} is there already, and is not ours`,
    `move it away if nothing needs it, or keep it and call ${pamPaths(PAM_PLACES).script} from it yourself`,
  );
}

/** A read-only file system or an immutable file is told of before anything is tried. */
async function refuseUnwritable(host: Host, pam: Pam): Promise<void> {
  const files = pam.services(SERVICE, '').map(({path}) => path);
  const paths = [PAM_PLACES.services, ...files, dirname(PAM_PLACES.directory)];
  const script = 'for path; do [ ! -e "$path" ] || [ -w "$path" ] || echo "$path"; done';
  const {stdout} = await host.run(['sh', '-c', script, 'sh', ...paths]);
  const [path] = stdout.split('\n');
  if (path === undefined || path === '') return;
  throw new Obstacle(
    `${path} cannot be written`,
    'it is on a read-only file system or marked immutable (see `lsattr`); make it writable, or do without --pam',
  );
}
