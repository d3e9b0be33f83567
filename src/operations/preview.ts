// What a dry run shows: each file that would change, as a diff, then what would be run and registered. The rehearsal has
// been part of it.

import {describe, type StepPreview} from '../plan/diff.js';
import {fingerprint, parsePublicKey} from '../ssh/key.js';
import {type Content, changes} from './changes.js';
import type {Tools} from './join.js';
import type {Joined} from './joined.js';
import {shortType} from './rehearsal.js';
import type {Scene} from './scene.js';
import type {JoinSettings, JoinWish} from './settings.js';

/** Settings as far as they are known: an address may have to wait for the cluster. */
export type Intended = Omit<JoinSettings, 'address' | 'config' | 'registered'> & {
  readonly address: string | undefined;
};

const LATER = '(made when you join)';

/** `content` is what is known already; on a first join nobody has signed anything yet. */
export async function preview(
  {host}: Pick<Tools, 'host'>,
  wish: JoinWish,
  scene: Scene,
  settings: Intended,
  content?: Content & {readonly recordRight: boolean},
): Promise<Joined> {
  const unsigned = {certificates: new Map<string, string>(), userAuthorities: LATER};
  const steps = await changes(host, scene, wish, content ?? unsigned);
  const register = wish.register && content?.recordRight !== true;
  // Somebody else speaks for this host now, and it is to speak for itself.
  const enters = content !== undefined && content.identity === undefined;
  const changed = steps.length > 0 || register || enters;
  const shown = (await describe(host, steps)).filter((step) => step.kind === 'path');
  const parts = [
    changed
      ? `Would ${wish.adopt ? 'take over the join of' : 'join'} ${settings.hostname} to ${settings.cluster}. Nothing has been changed.`
      : `${settings.hostname} is joined to ${settings.cluster} already; nothing would change.`,
    '',
    ...shown.flatMap((step) => [step.headline, ...linesOf(step, content === undefined), '']),
    ...steps.flatMap((step) => (step.kind === 'command' ? [`reload     ${step.why}`] : [])),
    ...(enters ? ['identity   made with a token when you join'] : []),
    ...(register ? [`register   ${describeRecord(settings)}`] : []),
    ...(changed ? [''] : []),
    'No token was spent.',
  ];
  return {...report(scene, settings, content), changed, preview: parts.join('\n')};
}

function linesOf(step: StepPreview, unsigned: boolean): readonly string[] {
  const later = unsigned && step.lines.some((line) => line === '+' || line.includes(LATER));
  return later ? [`  ${LATER}: ${step.why}`] : step.lines;
}

function describeRecord({hostname, address, labels}: Intended): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const where = address ?? 'the address that the cluster sees';
  return `node ${hostname}, ${where}${pairs.length > 0 ? `, labels ${pairs.join(',')}` : ''}`;
}

function report(scene: Scene, settings: Intended, content: Content | undefined): Omit<Joined, 'changed'> {
  const {nodeId: id, hostname, labels, cluster, proxy} = settings;
  const lines = content?.userAuthorities.split('\n').filter((line) => /^(ssh|ecdsa)-/.test(line)) ?? [];
  return {
    cluster,
    proxy,
    node: {id, hostname, address: settings.address ?? '', labels, registered: false},
    identity: settings.identity ?? 'kept',
    names: scene.names,
    certificates: scene.keys.map((key) => ({
      type: shortType(key.type),
      key: key.file,
      file: scene.layout.certificates.get(key.file) ?? '',
      signer: '',
    })),
    userAuthorities: {
      file: scene.layout.userAuthorities,
      cluster: lines.map((line) => fingerprint(parsePublicKey(line).blob)),
      own: 0,
    },
    config: scene.placement.path,
  };
}
