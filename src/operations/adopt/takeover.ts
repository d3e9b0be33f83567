// The host as it will be once the lines of an earlier join are out of its configuration. A join goes on from there, as if
// they had never been: it is rehearsed, written and proven in one with their removal.

import {join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {type HostKey, readHostKeys} from '../../host/host-keys.js';
import {type Tested, testedConfig} from '../../host/sshd.js';
import {sha256} from '../../plan/state.js';
import type {PathStep} from '../../plan/step.js';
import {
  type EffectiveConfig,
  type Elsewhere,
  settings,
  spelledOut,
  type Tree,
} from '../../ssh/sshd-config/index.js';
import {sameBytes} from '../../ssh/wire.js';
import {onStage} from '../stage.js';
import type {Former} from './find.js';
import {type Cleared, type Edit, takeOut} from './take-out.js';

export interface Takeover {
  readonly former: Former;
  /** The host as it is now. */
  readonly standing: HostFacts;
  /** The same without the earlier join. */
  readonly facts: HostFacts;
  readonly edits: readonly Edit[];
}

/** Reads the host and changes nothing. REHEARSAL_FAILED where more would change than those lines. */
export async function planTakeover(host: Host, standing: HostFacts, former: Former): Promise<Takeover> {
  const {named, unserved} = await keysToName(host, standing, former);
  const cleared = takeOut(standing, former, named);
  const tested = await tryOut(host, standing, cleared);
  const found = await readHostKeys(host, tested);
  const facts = {
    ...standing,
    tree: cleared.tree,
    effective: tested.effective,
    hostKeys: found.usable,
    warnings: [...found.warnings, ...unserved],
  };
  refuseMore(standing, facts);
  return {former, standing, facts, edits: cleared.edits};
}

/** Those of Teleport's, and where the site names none itself, sshd's default ones, which Teleport's have displaced. */
async function keysToName(
  host: Host,
  standing: HostFacts,
  former: Former,
): Promise<{readonly named: readonly string[]; readonly unserved: readonly string[]}> {
  const theirs = former.fragment?.hostKeys ?? [];
  const bare = takeOut(standing, former, []);
  const siteNames = settings(bare.tree, standing.dialect).some(({keyword}) => keyword === 'hostkey');
  if (theirs.length === 0 || siteNames) return {named: theirs, unserved: []};
  const tested = await tryOut(host, standing, bare).catch((error: unknown) => {
    // Without a key of its own sshd does not even tell.
    if (error instanceof Failure && error.code === 'SSHD_CONFIG_INVALID') return undefined;
    throw error;
  });
  const own = tested === undefined ? [] : (await readHostKeys(host, tested)).usable;
  // sshd serves one key of each type, and clients know the one that it serves now.
  const taken = new Map(standing.hostKeys.map(({type, file}) => [type, file]));
  return {
    named: [...theirs, ...own.filter(({type}) => !taken.has(type)).map(({file}) => file)],
    unserved: own.flatMap(({type, file}) => {
      const by = taken.get(type);
      return by === undefined
        ? []
        : [`${file} stays out of use: clients know ${by}, and sshd serves one key of each type`];
    }),
  };
}

function tryOut(host: Host, {probe, daemon, dialect}: HostFacts, {tree, edits}: Cleared): Promise<Tested> {
  return onStage(host, probe.uid, async ({path, put}) => {
    for (const file of besides(edits, tree, path)) await put(file.path, file.bytes);
    const main = tree.files.get(tree.main) ?? new Uint8Array();
    return testedConfig(
      host,
      daemon,
      await put('sshd_config', spelledOut(tree, main, dialect, elsewhere(edits, tree, path))),
    );
  });
}

/** Where the edited files that the main one includes lie on a stage. */
export function elsewhere(edits: readonly Edit[], {main}: Tree, directory: string): Elsewhere {
  const included = edits.filter(({path}) => path !== main);
  return new Map(
    included.map(({path, is}, index) => [path, is && join(directory, `included-${index}.conf`)]),
  );
}

/** Those files. */
export function besides(
  edits: readonly Edit[],
  tree: Tree,
  directory: string,
): readonly {readonly path: string; readonly bytes: Uint8Array}[] {
  const places = elsewhere(edits, tree, directory);
  return edits.flatMap(({path, is}) => {
    const place = places.get(path);
    return is === undefined || place === undefined ? [] : [{path: place, bytes: is}];
  });
}

const TAKEN_OUT = ['hostcertificate', 'trustedusercakeys', 'hostkey'];

function refuseMore(standing: HostFacts, facts: HostFacts): void {
  const wrong = [
    ...changed(standing.effective, facts.effective),
    ...standing.hostKeys
      .filter((key) => !facts.hostKeys.some((other) => isSame(key, other)))
      .map(({file}) => `${file} would no longer be served`),
  ];
  if (wrong.length === 0) return;
  throw new Failure('REHEARSAL_FAILED', 'taking out the lines of the earlier join would change more', {
    detail: wrong.join('\n'),
    hint: 'nothing was changed; please report this',
  });
}

const isSame = (one: HostKey, other: HostKey) => sameBytes(one.blob, other.blob);

function changed(before: EffectiveConfig, after: EffectiveConfig): string[] {
  const keywords = [...new Set([...before.keys(), ...after.keys()])].filter(
    (keyword) => !TAKEN_OUT.includes(keyword),
  );
  return keywords.flatMap((keyword) => {
    const [was, is] = [before.all(keyword).join(' '), after.all(keyword).join(' ')];
    return was === is ? [] : [`${keyword} would change from "${was}" to "${is}"`];
  });
}

/**
 * Steps that take them out. `written`: the file that a join writes anyway, without them. What is taken out is nothing that
 * leaving should put back: nobody who leaves a cluster wants to trust it still.
 */
export function takeoverSteps({edits, former}: Takeover, written: string | undefined): PathStep[] {
  const edited = edits.filter(({path}) => path !== written);
  return [...edited, ...former.authorities].map(({path, was, is}) => ({
    kind: 'path',
    path,
    to: is && {kind: 'file', bytes: is},
    seen: sha256(was),
    theirs: is ?? 'nothing',
    why: 'without the lines of the earlier join',
  }));
}
