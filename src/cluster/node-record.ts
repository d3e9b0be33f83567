// Node records on the wire.

import type {MessageInitShape} from '@bufbuild/protobuf';
import {timestampDate, timestampFromDate} from '@bufbuild/protobuf/wkt';
import type {Node} from './cluster.js';
import type {ServerV2, ServerV2Schema} from './gen/types_pb.js';

/** The only one there is; Auth wants it named all the same. */
export const NAMESPACE = 'default';

export function nodeRecord(node: Node): MessageInitShape<typeof ServerV2Schema> {
  return {
    kind: 'node',
    version: 'v2',
    subKind: node.subKind,
    metadata: {
      name: node.id,
      namespace: NAMESPACE,
      labels: {...node.labels},
      ...(node.expires && {expires: timestampFromDate(node.expires)}),
    },
    spec: {addr: node.address, hostname: node.hostname},
  };
}

export function readNode({metadata, spec, subKind}: ServerV2): Node {
  return {
    id: metadata?.name ?? '',
    hostname: spec?.hostname ?? '',
    address: spec?.addr ?? '',
    labels: metadata?.labels ?? {},
    subKind,
    ...(metadata?.expires && {expires: timestampDate(metadata.expires)}),
  };
}
