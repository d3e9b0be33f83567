// What a login would have the exec script do, tried without a login: the installed script runs as pam_exec runs it, in
// each phase, and what it does is watched. Its hooks run for real, unless that is not wanted.

import {Failure} from '../../errors.js';
import {lookAtAccounts} from '../../host/accounts.js';
import {asRoot} from '../../host/as-root.js';
import {type Glance, glance} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {lookBehind} from '../../host/look-behind.js';
import {ReadOnlyHost} from '../../host/read-only.js';
import type {Reporter} from '../reporter.js';
import {onStage, type Stage} from '../stage.js';
import {readPast} from '../status/past.js';
import {USUAL} from '../status/problem.js';
import {whatSshdAsks} from './asked.js';
import {type Hook, type Phase, readHooks} from './hooks.js';
import {PAM_PLACES, pamPaths} from './places.js';
import {certificateFor, certificateIn, type TestCertificate} from './test-certificate.js';
import {type HookRecord, linesOf, readRecords, watchedScript} from './watched.js';

export interface TrialTools {
  readonly host: Host;
  readonly report: Pick<Reporter, 'warn'>;
  readonly signal: AbortSignal;
}

export interface TrialWish {
  readonly login: string;
  readonly phases: readonly Phase[];
  /** Absent: one is made up, for this user and these roles. */
  readonly certificate?: string;
  readonly user: string;
  readonly roles: readonly string[];
  /** Hooks are listed with their variables, and not run. */
  readonly dryRun: boolean;
  readonly dataDir: string;
  /** The one of the record when absent, else the usual one. */
  readonly config?: string;
}

export interface Trial {
  readonly login: string;
  /** Whether this host knows it: sshd would refuse it otherwise. */
  readonly exists: boolean;
  /** What sshd asks PAM for. */
  readonly service: string;
  readonly certificate: {
    /** Absent: it was made up. */
    readonly file?: string;
    readonly user?: string;
    readonly roles?: readonly string[];
  };
  /** Whether PAM refuses a login for a hook that fails; absent where nothing is on record. */
  readonly required?: boolean;
  readonly phases: readonly TriedPhase[];
}

export interface TriedPhase {
  readonly phase: Phase;
  /** Of the script: that of the first hook that failed. Absent: it was cut off. */
  readonly status?: number;
  /** In the order in which they ran. In a dry run they have no status. */
  readonly hooks: readonly HookRecord[];
  readonly leftOut: readonly Pick<Hook, 'name' | 'reason'>[];
  /** What hooks wrote to descriptor 3: shown to the user where pam_exec has the option stdout. */
  readonly shown: string;
  /** What syslog would have got of the script itself. */
  readonly log: readonly string[];
  readonly note?: string;
}

/** Longer than a phase may take by the script's own clock. */
const PATIENCE = 60_000;

/** From here on sshd tells PAM of the certificate. */
const TOLD_SINCE = [7, 6] as const;

/** HOST_UNSUITABLE where nobody could run the hooks as they are run; USAGE for what is no login or no certificate. */
export async function tryHooks(tools: TrialTools, wish: TrialWish): Promise<Trial> {
  const {host, report} = tools;
  const {login, dataDir} = wish;
  refuseOddLogin(login);
  if (host.uid !== 0) {
    const hint = `${asRoot(host)}; \`agentless pam show\` lists the hooks for everybody`;
    throw new Failure('HOST_UNSUITABLE', 'only root can run hooks as they run at a login', {hint});
  }
  const text = await readScript(host);
  const place = {dataDir, config: wish.config ?? USUAL.config};
  const past = await readPast(host, place);
  const looking = new ReadOnlyHost(host);
  const [sight, {accounts}, certificate] = await Promise.all([
    glance(looking, wish.config ?? past.settings?.config ?? USUAL.config),
    lookAtAccounts(looking, [login]),
    wish.certificate === undefined
      ? certificateFor({...wish, cluster: past.settings?.cluster ?? 'example.com'}, login)
      : certificateIn(looking, wish.certificate, login),
  ]);
  const exists = accounts.has(login);
  if (!exists) report.warn(`there is no account ${login}: sshd would refuse it before it asks PAM`);
  for (const warning of certificate.warnings) report.warn(warning);
  const service = whatSshdAsks(sight).service ?? 'sshd';
  const scene = {text, certificate, service, sight, wish};
  const phases = await onStage(host, host.uid, (stage) => tryPhases(tools, stage, scene));
  const pam = past.settings?.pam;
  const {line: _line, authority: _authority, warnings: _warnings, ...about} = certificate;
  return {
    login,
    exists,
    service,
    certificate: {...about, ...(wish.certificate !== undefined && {file: wish.certificate})},
    ...(typeof pam === 'object' && {required: pam.required}),
    phases,
  };
}

function refuseOddLogin(login: string): void {
  if (/^[^-\s:,/\p{Cc}][^\s:,/\p{Cc}]*$/u.test(login)) return;
  throw new Failure('USAGE', `no login: ${JSON.stringify(login)}`, {
    hint: 'give the name of an account, as in ssh NAME@host',
  });
}

async function readScript(host: Host): Promise<string> {
  const {script} = pamPaths(PAM_PLACES);
  const entry = await lookBehind(host, script);
  if (entry?.kind === 'file') return Buffer.from(entry.bytes).toString('latin1');
  throw new Failure('HOST_UNSUITABLE', `there is no ${script}, so no hook runs at a login`, {
    hint: '`sudo agentless join openssh --pam` installs it; `agentless pam show` tells what is there',
  });
}

interface Scene {
  readonly text: string;
  readonly certificate: TestCertificate;
  readonly service: string;
  readonly sight: Glance;
  readonly wish: TrialWish;
}

async function tryPhases(
  {host, signal}: TrialTools,
  stage: Stage,
  scene: Scene,
): Promise<readonly TriedPhase[]> {
  const {text, certificate, wish} = scene;
  const [records, log] = [await stage.put('records', ''), await stage.put('log', '')];
  const authorities = certificate.authority;
  const believed = authorities && (await stage.put('authorities', `${authorities}\n`));
  const watched = watchedScript(text, {
    records,
    log,
    run: !wish.dryRun,
    ...(believed !== undefined && {authorities: believed}),
  });
  if (watched === undefined) throw rewritten();
  const script = await stage.put('pam-exec', watched, 0o700);
  const tried: TriedPhase[] = [];
  for (const phase of wish.phases) {
    if (signal.aborted) throw new Failure('INTERRUPTED', 'interrupted between two phases of a login');
    await Promise.all([stage.put('records', ''), stage.put('log', '')]);
    tried.push(await tryPhase(host, scene, {phase, script, records, log}));
  }
  return tried;
}

interface Files {
  readonly phase: Phase;
  readonly script: string;
  readonly records: string;
  readonly log: string;
}

async function tryPhase(host: Host, scene: Scene, files: Files): Promise<TriedPhase> {
  const {phase, script, records, log} = files;
  const [interpreter = '/bin/sh'] = /(?<=^#! *)\/\S+/.exec(scene.text) ?? [];
  const argv = ['env', '-i', ...environment(phase, scene), interpreter, script];
  const {status, stdout} = await host.run(argv, {timeout: PATIENCE});
  const [written, said, listed] = await Promise.all([
    host.look(records),
    host.look(log),
    readHooks(host, PAM_PLACES),
  ]);
  const found = listed.find((one) => one.phase === phase)?.hooks ?? [];
  const ran = readRecords(written?.kind === 'file' ? written.bytes : new Uint8Array());
  const lines = linesOf(said?.kind === 'file' ? Buffer.from(said.bytes).toString('utf8') : '');
  const leftOut = found.filter(({verdict}) => verdict === 'left out');
  const note = noteOn(phase, scene, found.length - leftOut.length > 0 && ran.length === 0, lines);
  return {
    phase,
    ...(status !== undefined && {status}),
    hooks: scene.wish.dryRun ? ran.map(({status: _status, seconds: _seconds, ...hook}) => hook) : ran,
    leftOut: leftOut.map(({name, reason}) => ({name, ...(reason !== undefined && {reason})})),
    shown: stdout,
    log: lines,
    ...(note !== undefined && {note}),
  };
}

/** What pam_exec passes on from sshd, and nothing else. */
function environment(phase: Phase, {certificate: {line}, service, sight, wish}: Scene): readonly string[] {
  const port = sight.facts?.port ?? 22;
  const info = phase === 'account' ? '' : `publickey ${line}\n`;
  return [
    `PAM_TYPE=${phase}`,
    `PAM_SERVICE=${service}`,
    `PAM_USER=${wish.login}`,
    'PAM_RHOST=127.0.0.1',
    'PAM_TTY=ssh',
    `SSH_CONNECTION=127.0.0.1 50000 127.0.0.1 ${port}`,
    ...(tellsPam(sight) ? [`SSH_AUTH_INFO_0=${info}`] : []),
  ];
}

function tellsPam({version = TOLD_SINCE}: Glance): boolean {
  const [[major, minor], [since, from]] = [version, TOLD_SINCE];
  return major > since || (major === since && minor >= from);
}

/** Why no hook ran that could, where the script says nothing of it. */
function noteOn(phase: Phase, {sight}: Scene, silent: boolean, log: readonly string[]): string | undefined {
  if (!silent || log.some((line) => line.startsWith('no hook runs'))) return undefined;
  if (phase !== 'account' && !tellsPam(sight))
    return `sshd ${sight.version?.join('.')} tells PAM nothing of the certificate, so hooks run in account only`;
  return 'no hook ran: the script takes this for no certificate of a Teleport user';
}

function rewritten(): Failure {
  const {script} = pamPaths(PAM_PLACES);
  return new Failure('HOST_UNSUITABLE', `${script} is not ours any more, so what it does cannot be watched`, {
    hint: '`sudo agentless renew --repair` puts it back as it was installed',
  });
}
