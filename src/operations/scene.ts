// Everything that is known before the cluster signs anything: which keys get certificates, under which names, and how
// sshd is told. Worked out once, used by the rehearsal, the plan and the proof.

import {dirname, join} from 'node:path/posix';
import {Failure} from '../errors.js';
import type {HostFacts, HostKey} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {parseAddress} from '../ssh/address.js';
import {parseCertificate} from '../ssh/certificate.js';
import {formatPublicKey} from '../ssh/key.js';
import {dialledNames} from '../ssh/principals.js';
import {
  firstGlobal,
  type Placement,
  place,
  settings,
  staged,
  type Tree,
  type WrittenFile,
  withoutOurs,
} from '../ssh/sshd-config/index.js';
import {sameBytes} from '../ssh/wire.js';
import {besides, elsewhere, type Takeover} from './adopt/takeover.js';
import {clockWarning} from './clock.js';
import {directives, installedDirectory, type Layout, layoutIn, OWNER_LINE} from './layout.js';
import {SERVICE} from './pam/places.js';
import type {Pam} from './pam/prepare.js';
import type {PamSettings} from './pam/settings.js';
import type {Reporter} from './reporter.js';
import {resolutionWarning} from './resolution.js';
import {addressWarning, type Draft, nameWarning} from './settings.js';

export interface Scene {
  readonly facts: HostFacts;
  readonly keys: readonly HostKey[];
  readonly names: readonly string[];
  readonly additionalPrincipals: readonly string[];
  readonly layout: Layout;
  readonly placement: Placement;
  /** File that TrustedUserCAKeys named before us. */
  readonly existingAuthorities: string | undefined;
  /** Text of the main file as it would read with the files of another layout. */
  readonly configFor: (layout: Layout) => Uint8Array;
  /** Further files that it includes then. */
  readonly besides: (layout: Layout) => readonly WrittenFile[];
  /** What an earlier join by others has left, and this one takes over. */
  readonly takeover: Takeover | undefined;
  /** True when our lines stand where they belong and as we write them, for these certificates. */
  readonly standsFor: (certificates: readonly string[]) => boolean;
  /** Certificates of an earlier join of ours that are in effect; they may give way. */
  readonly previous: readonly string[];
  /** Certificates that others have configured. */
  readonly foreign: readonly string[];
  readonly warnings: readonly string[];
  /** What PAM is to do; undefined: it is left alone. */
  readonly pam: Pam | undefined;
  /** What PAMServiceName is to be, where that is ours to say. */
  readonly service: string | undefined;
}

/** What a node is to be called, and where. */
export type Wanted = Draft & {readonly nodeId: string; readonly cluster: string};

export interface Certified {
  /** File of a certificate that somebody else configured… */
  readonly file: string;
  /** …and its content. */
  readonly text: string;
}

/**
 * Reads what others have configured, sets the scene and passes on its warnings. `told`: the name
 * and the address, where this run was told them, which is worth a warning once.
 */
export async function prepareScene(
  host: Host,
  facts: HostFacts,
  wanted: Wanted,
  report: Reporter,
  told: {readonly hostname?: string | undefined; readonly address?: string | undefined},
  pam?: Pam,
  former?: PamSettings,
  takeover?: Takeover,
): Promise<Scene> {
  const reading = Promise.all(
    foreignCertificateFiles(facts).map(async (file) => {
      const entry = await host.look(file).catch(() => undefined);
      return {file, text: entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : ''};
    }),
  );
  const resolving = told.address === undefined ? undefined : resolutionWarning(host, told.address);
  const [foreign, foundElsewhere] = await Promise.all([reading, resolving]);
  const scene = setScene(facts, wanted, foreign, pam, former, takeover);
  const doubts = [
    told.hostname === undefined ? undefined : nameWarning(told.hostname),
    told.address === undefined ? undefined : addressWarning(told.address),
    foundElsewhere,
    clockWarning(host),
  ];
  for (const warning of [...facts.warnings, ...scene.warnings, ...doubts]) {
    if (warning !== undefined) report.warn(warning);
  }
  return scene;
}

/** `foreign`: certificates that others have configured; their keys are left alone. */
export function setScene(
  facts: HostFacts,
  wanted: Wanted,
  foreign: readonly Certified[],
  pam?: Pam,
  former?: PamSettings,
  takeover?: Takeover,
): Scene {
  const taken = new Map(
    foreign.flatMap(({file, text}) => certifiedKey(text).map((key) => [key, file] as const)),
  );
  const free = facts.hostKeys.filter((key) => !taken.has(formatPublicKey(key.blob)));
  const servable = free.filter((key) => key.certificateBy.length > 0);
  // Where no certificate would be served at all, the rehearsal says so with the line at fault.
  const keys = servable.length > 0 ? servable : free;
  if (keys.length === 0) {
    throw new Failure('HOST_UNSUITABLE', 'every host key has a certificate of another authority already', {
      detail: foreign.map(({file}) => `HostCertificate ${file}`).join('\n'),
      hint: 'sshd serves one certificate for each key; remove one of those lines, or add a host key\nif a join to this cluster has put them there, by hand or by Teleport: `agentless adopt` takes it over',
    });
  }
  const address = wanted.address === undefined ? undefined : parseAddress(wanted.address, facts.port).host;
  const names = dialledNames({...wanted, address, extras: wanted.additionalPrincipals});
  const site = withoutOurs(facts.tree);
  const layout = layoutIn(
    installedDirectory(facts.config),
    keys.map((key) => key.file),
  );
  const placed = (where: Layout): Placement =>
    place(facts.tree, facts.dialect, {
      directives: [...directives(where, facts.dialect), ...(pam?.directives ?? [])],
      dropIn: '00-agentless.conf',
      fragment: join(layout.directory, 'sshd.conf'),
      header: [OWNER_LINE],
    });
  const unservable = free.filter((key) => !keys.includes(key));
  return {
    facts,
    keys,
    names: names.names,
    // Auth replaces 0.0.0.0 by the address it sees us from.
    additionalPrincipals: address === undefined ? [...names.additional, '0.0.0.0'] : names.additional,
    layout,
    placement: placed(layout),
    existingAuthorities: existingAuthorities(site, facts),
    standsFor: (certificates) => {
      const before = placed({...layout, certificates: new Map(certificates.map((path) => [path, path]))});
      return isWritten(before, facts.tree);
    },
    configFor: (where) => {
      const moved = takeover && elsewhere(takeover.edits, facts.tree, where.directory);
      return staged(facts.tree, placed(where), facts.dialect, moved);
    },
    besides: ({directory}) => (takeover ? besides(takeover.edits, facts.tree, directory) : []),
    takeover,
    previous: facts.effective
      .all('hostcertificate')
      .filter((path) => path.startsWith(`${layout.directory}/`)),
    foreign: foreign.map(({file}) => file),
    pam,
    service:
      pam?.settings.shape === 'service' ? SERVICE : former?.shape === 'service' ? former.base : undefined,
    warnings: [
      ...names.warnings,
      ...unservable.map(
        (key) => `${key.file} gets no certificate: HostKeyAlgorithms leaves out those of its type`,
      ),
      ...facts.hostKeys
        .filter((key) => taken.has(formatPublicKey(key.blob)))
        .map(
          (key) =>
            `${key.file} keeps the certificate in ${taken.get(formatPublicKey(key.blob))}; it gets none of ours, and clients that prefer its type cannot verify this host through the cluster`,
        ),
    ],
  };
}

/** Nothing would have to be written for it. */
function isWritten(placement: Placement, tree: Tree): boolean {
  const {path, bytes, stale} = placement;
  const fragment = placement.kind === 'block' ? placement.fragment : undefined;
  const files = [
    {path: placement.kind === 'block' ? tree.main : path, bytes},
    ...(fragment ? [fragment] : []),
  ];
  return (
    stale.length === 0 &&
    files.every((file) => sameBytes(tree.files.get(file.path) ?? new Uint8Array(), file.bytes))
  );
}

/** Files of certificates in effect that are not ours, whether named in a file or on sshd's command line. */
function foreignCertificateFiles({effective, config}: HostFacts): string[] {
  const own = `${installedDirectory(config)}/`;
  return effective
    .all('hostcertificate')
    .filter((path) => path.toLowerCase() !== 'none' && !path.startsWith(own));
}

/** The site's own TrustedUserCAKeys: sshd's command line first, then the first line of the files. */
function existingAuthorities(tree: Tree, facts: HostFacts): string | undefined {
  const option = facts.daemon.options
    .map((word) => /^TrustedUserCAKeys[= ]+(.+)$/i.exec(word)?.[1])
    .find(Boolean);
  if (option !== undefined) {
    throw new Failure(
      'HOST_UNSUITABLE',
      'sshd was started with TrustedUserCAKeys on its command line, which wins over any file',
      {
        detail: [facts.daemon.program, ...facts.daemon.options].join(' '),
        hint: 'move that setting into sshd_config and restart sshd, then join',
      },
    );
  }
  const file = firstGlobal(settings(tree, facts.dialect), 'trustedusercakeys')?.args[0];
  if (file === undefined || file.toLowerCase() === 'none') return undefined;
  return file.startsWith('/') ? file : join(dirname(facts.config), file);
}

function certifiedKey(text: string): string[] {
  try {
    return [formatPublicKey(parseCertificate(text.trim()).key)];
  } catch {
    // sshd does not serve it either.
    return [];
  }
}
