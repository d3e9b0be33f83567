// The plan of a join as data: which files become what, then sshd is asked to check them and to take them.

import {join} from 'node:path/posix';
import type {Identity} from '../cluster/cluster.js';
import type {Host} from '../host/host.js';
import {reloadOf} from '../host/service.js';
import {sshdCommand} from '../host/sshd.js';
import {prune} from '../plan/prune.js';
import {sha256} from '../plan/state.js';
import type {CommandStep, PathStep, Step} from '../plan/step.js';
import {withoutOwnLines} from '../ssh/sshd-config/index.js';
import {takeoverSteps} from './adopt/takeover.js';
import {OWNER_LINE} from './layout.js';
import {ownFiles, takenOver} from './leftovers.js';
import {pamSteps} from './pam/steps.js';
import type {Scene} from './scene.js';
import type {JoinWish} from './settings.js';

/** What goes into the files. */
export interface Content {
  /** Undefined in a dry run: nobody has signed anything. 'discarded': none may lie here. */
  readonly identity?: Identity | 'discarded' | undefined;
  /** "type base64" by host key file. */
  readonly certificates: ReadonlyMap<string, string>;
  readonly userAuthorities: string;
}

/**
 * Steps that still have to be done, in order: identity, certificates, authorities, then the configuration that names
 * them, then check and reload. A host that is as it should be has none. `stale` are files of ours that are needed no more.
 * `takeOver`: what an earlier join has left becomes known as ours.
 */
export async function changes(
  host: Host,
  scene: Scene,
  wish: JoinWish,
  content: Content,
  stale: readonly string[] = [],
  takeOver = false,
): Promise<readonly Step[]> {
  const pam = scene.pam ? pamSteps(scene.pam, scene.layout.userAuthorities) : [];
  const wanted = [
    ...(await credentialSteps(host, wish.dataDir, content.identity)),
    ...servedSteps(scene, content),
    ...pam,
    ...configSteps(scene),
    ...formerSteps(scene),
  ];
  const left = takeOver ? await ownFiles(host, scene.layout.directory) : stale;
  const needless = [...left, ...scene.placement.stale].filter((path) =>
    wanted.every((one) => one.path !== path),
  );
  const all = [...wanted, ...needless.map((path) => removal(path))];
  const marked = takeOver ? await Promise.all(all.map((one) => takenOver(host, one, wish.dataDir))) : all;
  const paths = await prune(host, marked, takeOver);
  // The authorities and PAM's files are read at every login, our identity never: only what sshd reads at its start needs
  // a reload.
  const quiet = new Set([
    scene.layout.userAuthorities,
    ...identityPaths(wish.dataDir),
    ...pam.map(({path}) => path),
  ]);
  const needsReload = paths.some((step) => step.kind === 'path' && !quiet.has(step.via ?? step.path));
  return needsReload && wish.reload ? [...paths, ...commandSteps(scene, wish)] : paths;
}

/** True for a step on the files that make sshd read ours; sshd serves nothing of ours without them. */
export function isPlacement(step: Step, {placement}: Scene): boolean {
  const fragment = placement.kind === 'block' ? placement.fragment?.path : undefined;
  const paths = [placement.path, fragment, ...placement.stale];
  return step.kind === 'path' && paths.includes(step.via ?? step.path);
}

const IDENTITY_FILES = ['key.pem', 'cert.pem', 'authorities.pem'] as const;

/** Where the node's own credential lies: key, certificate, authorities of the cluster. */
export function identityPaths(dataDir: string): readonly [string, string, string, string] {
  const directory = join(dataDir, 'identity');
  const [key, certificate, authorities] = IDENTITY_FILES;
  return [directory, join(directory, key), join(directory, certificate), join(directory, authorities)];
}

async function credentialSteps(
  host: Host,
  dataDir: string,
  identity: Content['identity'],
): Promise<PathStep[]> {
  if (identity === undefined) return [];
  if (identity !== 'discarded') return identitySteps(dataDir, identity);
  const [directory, ...files] = identityPaths(dataDir);
  const entry = await host.look(directory);
  const others =
    entry?.kind === 'directory' ? entry.names.filter((name) => !files.includes(join(directory, name))) : [];
  return [...files, ...(others.length > 0 ? [] : [directory])].map((path) => removal(path));
}

function identitySteps(dataDir: string, identity: Identity): PathStep[] {
  const [directory, key, certificate, authorities] = identityPaths(dataDir);
  const secret = {
    kind: 'file',
    bytes: Buffer.from(identity.key.reveal()),
    mode: 0o600,
    secret: true,
  } as const;
  return [
    {kind: 'path', path: directory, to: {kind: 'directory', mode: 0o700}, why: 'identity of this node'},
    {kind: 'path', path: key, to: secret, why: 'key of this node at the cluster'},
    file(certificate, identity.certificate, 0o600, 'certificate of this node at the cluster'),
    file(authorities, identity.authorities.join(''), 0o600, 'authorities of the cluster'),
  ];
}

function servedSteps({layout}: Scene, content: Content): PathStep[] {
  const certificates = [...layout.certificates].map(([key, path]) =>
    file(path, `${content.certificates.get(key) ?? ''}\n`, 0o644, `certificate of ${key}`),
  );
  return [
    {
      kind: 'path',
      path: layout.directory,
      to: {kind: 'directory', mode: 0o755},
      why: 'what sshd serves and trusts',
    },
    ...certificates,
    file(layout.userAuthorities, content.userAuthorities, 0o644, 'the keys that sign users'),
  ];
}

function configSteps(scene: Scene): PathStep[] {
  const {placement} = scene;
  const why = 'makes sshd read our lines';
  if (placement.kind === 'drop-in') return [write(placement.path, placement.bytes, 0o644, why)];
  const {path, bytes, fragment} = placement;
  return [
    ...(fragment ? [write(fragment.path, fragment.bytes, 0o644, 'our lines')] : []),
    {...write(path, bytes, undefined, why), ...siteText(scene)},
  ];
}

/** The lines of an earlier join by others go when ours are there. */
function formerSteps({takeover, placement, facts}: Scene): PathStep[] {
  if (takeover === undefined) return [];
  return takeoverSteps(takeover, placement.kind === 'block' ? facts.tree.main : undefined);
}

/** The site's main file as it was looked at, and what of it is the site's where lines of ours are in it already. */
function siteText({
  facts: {tree, dialect},
  layout,
  placement,
  takeover,
}: Scene): Pick<PathStep, 'seen' | 'theirs'> {
  const now = tree.files.get(tree.main) ?? new Uint8Array();
  const fragment = placement.kind === 'block' ? placement.fragment : undefined;
  const own = new Set([
    ...layout.certificates.values(),
    layout.userAuthorities,
    ...(fragment ? [fragment.path] : []),
  ]);
  const theirs = withoutOwnLines(now, dialect, {own, header: [OWNER_LINE]});
  const edit = takeover?.edits.find(({path}) => path === tree.main);
  if (edit !== undefined) return {seen: sha256(edit.was), theirs};
  return {seen: sha256(now), ...(theirs.length < now.length && {theirs})};
}

/** sshd must accept the whole, with the daemon's own options, right before it takes it: SIGHUP on a bad file kills it. */
export function effectCheck({facts}: Pick<Scene, 'facts'>): CommandStep {
  return {kind: 'check', argv: sshdCommand(facts.daemon, '-T', facts.config), why: 'sshd accepts the whole'};
}

export function commandSteps(
  scene: Pick<Scene, 'facts'>,
  wish: Pick<JoinWish, 'checkCommand' | 'reloadCommand'>,
): Step[] {
  const {daemon, config} = scene.facts;
  const steps: Step[] = [effectCheck(scene)];
  if (wish.checkCommand !== undefined) {
    const argv = ['/bin/sh', '-c', `${wish.checkCommand} "$1"`, 'sh', config];
    // It may end without a word.
    const hint = `run it by hand to see what it has against the configuration: ${wish.checkCommand} ${config}`;
    steps.push({kind: 'check', argv, why: 'your own check', hint});
  }
  const {argv, settle, text} = reloadOf(daemon, wish.reloadCommand);
  const hint = "look into sshd's log, and run that command by hand to see why it fails";
  if (argv !== undefined) steps.push({kind: 'command', argv, ...(settle && {settle}), why: text, hint});
  return steps;
}

function file(path: string, content: string, mode: number, why: string): PathStep {
  return write(path, Buffer.from(content, 'latin1'), mode, why);
}

function write(path: string, bytes: Uint8Array, mode: number | undefined, why: string): PathStep {
  return {kind: 'path', path, to: {kind: 'file', bytes, ...(mode !== undefined && {mode})}, why};
}

function removal(path: string): PathStep {
  return {kind: 'path', path, to: undefined, why: 'no longer needed'};
}
