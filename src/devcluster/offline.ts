// What can be done with a state directory alone, whether its cluster runs or not.

import {chmodSync, writeFileSync} from 'node:fs';
import type {JsonValue} from '@bufbuild/protobuf';
import type {Node} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {describeNode} from './node-list.js';
import {readNodes} from './node-store.js';
import {StateDirectory} from './state-directory.js';
import {issueLogin, type LoginCertificate, type LoginRequest} from './user-certificate.js';

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

/** Every node record, sorted by id. */
export function nodes(dir: string): readonly Node[] {
  const state = new StateDirectory(dir);
  state.requireCluster();
  return readNodes(state.read<JsonValue[]>(NODES_FILE) ?? []).map(describeNode);
}
