// What Auth does to a node record before it stores it: refuses what is malformed, rewrites loopback addresses and
// hostnames outside the DNS rules. Texts as measured on 18.0.0.

import {randomUUID} from 'node:crypto';
import {clone, create} from '@bufbuild/protobuf';
import type {Timestamp} from '@bufbuild/protobuf/wkt';
import {MetadataSchema, RotationSchema, type ServerV2, ServerV2Schema} from '../cluster/gen/types_pb.js';
import {isLoopback, isUnspecified, joinHostPort, splitHostPort} from './address.js';
import {Refusal} from './refusal.js';
import {zeroTime} from './timestamps.js';

const SUB_KINDS: readonly string[] = ['', 'teleport', 'openssh', 'openssh-ec2-ice'];
const HOSTNAME = /^[a-zA-Z0-9]+[a-zA-Z0-9.-]*$/;
const HOSTNAME_LIMIT = 256;
const LABEL_KEY = /^[a-zA-Z0-9/._:*-]+$/;
export const RESOURCE_NAME = /^[0-9A-Za-z@_:.\-+]*$/;
const ORIGINAL_HOSTNAME = 'teleport.internal/invalid-hostname';

/** The record as it is stored, or a refusal. `caller` is the peer's IP address. */
export function acceptNode(sent: ServerV2, caller: string): ServerV2 {
  const node = clone(ServerV2Schema, sent);
  const spec = node.spec;
  const metadata = node.metadata ?? create(MetadataSchema);
  if (spec === undefined) throw new Refusal('bad parameter', 'missing parameter Spec');
  node.metadata = metadata;
  checkKind(node);
  checkMetadata(metadata.name, metadata.namespace, Object.keys(metadata.labels));
  metadata.name ||= randomUUID();
  metadata.namespace = 'default';
  metadata.revision = randomUUID();
  node.kind = 'node';
  node.version = 'v2';
  if (node.subKind === 'openssh') checkAddress(spec.addr, spec.publicAddrs);
  spec.addr = replaceLocalHost(spec.addr, caller);
  sanitizeHostname(node);
  spec.rotation = rotation(spec.rotation?.lastRotated);
  return node;
}

function checkKind({kind, subKind}: ServerV2): void {
  if (kind !== 'node' && subKind !== '') {
    const message = 'server SubKind must only be set when Kind is "node" or "git_server"';
    throw new Refusal('bad parameter', message);
  }
  if (!SUB_KINDS.includes(subKind)) {
    throw new Refusal('bad parameter', `invalid SubKind "${subKind}" of Kind "node"`);
  }
}

function checkMetadata(name: string, namespace: string, labelKeys: readonly string[]): void {
  if (namespace !== '' && namespace !== 'default') {
    const text = `namespace "${namespace}" invalid, custom namespaces are deprecated; use "default" instead`;
    throw new Refusal('bad parameter', text);
  }
  const bad = labelKeys.find((key) => !LABEL_KEY.test(key));
  if (bad !== undefined) throw new Refusal('bad parameter', `invalid label key: ${quote(bad)}`);
  if (!RESOURCE_NAME.test(name)) throw specialCharacters(`/nodes/default/${name}`);
}

/** `key` is the path under which Auth would store it. */
export function specialCharacters(key: string): Refusal {
  const rule = 'please use name composed only from characters, hyphens, dots, and plus signs';
  const text = `special characters are not allowed in resource names, ${rule}: "${key}"`;
  return new Refusal('bad parameter', text);
}

function checkAddress(address: string, publicAddresses: readonly string[]): void {
  if (address === '') {
    throw new Refusal('bad parameter', 'addr must be set when server SubKind is "openssh"');
  }
  if (publicAddresses.length > 0) {
    throw new Refusal('bad parameter', 'publicAddrs must not be set when server SubKind is "openssh"');
  }
  const split = splitHostPort(address);
  if (!('problem' in split)) return;
  throw new Refusal('bad parameter', `invalid Addr ${quote(address)}: address ${address}: ${split.problem}`);
}

/** A host that is nobody's own address becomes the caller's. */
function replaceLocalHost(address: string, caller: string): string {
  const split = splitHostPort(address);
  if ('problem' in split || !(isLoopback(split.host) || isUnspecified(split.host))) return address;
  return joinHostPort(caller, split.port);
}

function sanitizeHostname({spec, metadata, subKind}: ServerV2): void {
  if (spec === undefined || metadata === undefined || isHostname(spec.hostname)) return;
  if (subKind !== 'openssh' && spec.hostname === '') return;
  metadata.labels[ORIGINAL_HOSTNAME] = spec.hostname;
  const split = splitHostPort(spec.addr);
  const host = 'problem' in split || subKind !== 'openssh' ? '' : split.host;
  spec.hostname = isHostname(host) ? host : randomUUID();
}

const isHostname = (name: string) => name.length <= HOSTNAME_LIMIT && HOSTNAME.test(name);

/** Rotation as Go writes it: times that are not set are year 1. */
function rotation(lastRotated?: Timestamp) {
  const schedule = {updateClients: zeroTime(), updateServers: zeroTime(), standby: zeroTime()};
  return create(RotationSchema, {
    started: zeroTime(),
    lastRotated: lastRotated ?? zeroTime(),
    schedule,
  });
}

/** Go's %q for the characters that occur. */
function quote(text: string): string {
  return JSON.stringify(text);
}
