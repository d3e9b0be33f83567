// What the record says that sshd should make of this host.

import {dirname, join} from 'node:path/posix';
import type {Change, OwnershipRecord} from '../../plan/record.js';
import {installedDirectory} from '../layout.js';
import {PAM_PLACES} from '../pam/places.js';

export interface Intent {
  /** Our directory beside the configuration. */
  readonly directory: string;
  /** The files that HostCertificate lines of ours name. */
  readonly certificates: readonly string[];
  readonly userAuthorities: string;
  /** The file that makes sshd read our lines; undefined when the record does not tell. */
  readonly placed?: Placed;
}

/** A file of our own that an Include of the site's names, or a marked block in the site's main file. */
export type Placed =
  | {readonly kind: 'drop-in'; readonly path: string; readonly include: string}
  | {readonly kind: 'block'; readonly path: string};

/** `isRead`: of several such files, as repairs may leave them, the one that sshd reads our lines from counts. */
export function intentOf(
  record: OwnershipRecord,
  config: string,
  dataDir: string,
  isRead: (placed: Placed) => boolean = () => true,
): Intent {
  const directory = installedDirectory(config);
  const present = record.changes.filter(({after}) => after.kind === 'file');
  const names = present.map(nameOf);
  const outside = present.filter(
    ({path}) =>
      ![directory, dataDir, PAM_PLACES.services, PAM_PLACES.directory].some((own) => isInside(path, own)),
  );
  const places = outside.map(placedAs);
  const placed = places.find(isRead) ?? places[0];
  return {
    directory,
    certificates: names.filter((path) => isInside(path, directory) && path.endsWith('-cert.pub')),
    userAuthorities: join(directory, 'trusted_user_ca_keys'),
    ...(placed && {placed}),
  };
}

/** A file that stood there before us is the site's: only our block in it is ours. */
export function isSites({before, after}: Change): boolean {
  return before.kind === 'file' && after.kind === 'file';
}

function placedAs(change: Change): Placed {
  const path = nameOf(change);
  return isSites(change)
    ? {kind: 'block', path}
    : {kind: 'drop-in', path, include: join(dirname(path), '*.conf')};
}

/** The name under which the plan knew it: that of the link, when there was one. */
function nameOf({path, via}: Change): string {
  return via ?? path;
}

function isInside(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}
