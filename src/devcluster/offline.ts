// What can be done with a state directory alone, whether its cluster runs or not.

import {chmodSync, existsSync, writeFileSync} from 'node:fs';
import type {JsonValue} from '@bufbuild/protobuf';
import type {Node} from '../cluster/cluster.js';
import {readNode} from '../cluster/node-record.js';
import {Failure} from '../errors.js';
import {readNodes} from './node-store.js';
import {ROLES} from './roles.js';
import {StateDirectory} from './state-directory.js';
import {issueLogin, type LoginCertificate, type LoginRequest} from './user-certificate.js';
import {type IdentityRequest, issueIdentity} from './user-identity.js';

export const NODES_FILE = 'nodes.json';

/** A key and a certificate as a proxy would present it to sshd. */
export function login(dir: string, request: LoginRequest): Promise<LoginCertificate> {
  return issueLogin(new StateDirectory(dir).requireCluster(), request);
}

export interface LoginFiles {
  readonly key: string;
  readonly certificate: string;
}

/** FILE (0600) and FILE-cert.pub, where ssh -i FILE looks for it. Existing files are replaced. */
export function writeLogin(file: string, {privateKey, certificate}: LoginCertificate): LoginFiles {
  try {
    writeFileSync(file, privateKey, {mode: 0o600});
    chmodSync(file, 0o600);
    writeFileSync(`${file}-cert.pub`, certificate, {mode: 0o644});
  } catch (cause) {
    throw new Failure('USAGE', `cannot write ${file} and ${file}-cert.pub`, {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: 'name a file in a directory that you may write with --out',
      cause,
    });
  }
  return {key: file, certificate: `${file}-cert.pub`};
}

/** The text of an identity file, as `tctl auth sign` would write it on Auth's host. */
export function identity(dir: string, request: IdentityRequest): Promise<string> {
  const cluster = new StateDirectory(dir).requireCluster();
  return issueIdentity(cluster, cluster.authorities, builtIn(request));
}

function builtIn(request: IdentityRequest): IdentityRequest {
  const unknown = request.roles.find((role) => !Object.hasOwn(ROLES, role));
  if (unknown === undefined) return request;
  throw new Failure('USAGE', `the development cluster has no role ${JSON.stringify(unknown)}`, {
    hint: `it has ${Object.keys(ROLES).join(', ')}`,
  });
}

/** FILE, 0600. An existing one is replaced only when told so. */
export function writeIdentity(file: string, text: string, overwrite: boolean): void {
  if (!overwrite && existsSync(file)) {
    throw new Failure('USAGE', `${file} exists already`, {hint: 'replace it with --overwrite'});
  }
  try {
    // Nobody else reads it even for a moment, whatever the mode of what is replaced.
    if (overwrite && existsSync(file)) chmodSync(file, 0o600);
    writeFileSync(file, text, {mode: 0o600, flag: overwrite ? 'w' : 'wx'});
  } catch (cause) {
    throw new Failure('USAGE', `cannot write ${file}`, {
      detail: cause instanceof Error ? cause.message : String(cause),
      hint: 'name a file in a directory that you may write with --out',
      cause,
    });
  }
}

/** Every node record, sorted by id. */
export function nodes(dir: string): readonly Node[] {
  const state = new StateDirectory(dir);
  state.requireCluster();
  return readNodes(state.read<JsonValue[]>(NODES_FILE) ?? []).map(readNode);
}
