// ListResources for nodes: filters and pages.

import {create} from '@bufbuild/protobuf';
import {
  type ListResourcesRequest,
  type ListResourcesResponse,
  ListResourcesResponseSchema,
} from '../cluster/gen/auth_pb.js';
import type {ServerV2} from '../cluster/gen/types_pb.js';
import {Refusal} from './refusal.js';

/** `nodes` sorted by name, which is the key of a page. */
export function listNodes(nodes: readonly ServerV2[], request: ListResourcesRequest): ListResourcesResponse {
  check(request);
  const {searchKeywords, labels, startKey, limit} = request;
  const matching = nodes.filter((node) => hasLabels(node, labels) && matches(node, searchKeywords));
  const rest = matching.filter((node) => nameOf(node) >= startKey);
  const next = rest[limit];
  return create(ListResourcesResponseSchema, {
    resources: rest.slice(0, limit).map((node) => ({resource: {case: 'node' as const, value: node}})),
    nextKey: next === undefined ? '' : nameOf(next),
    totalCount: request.needTotalCount ? matching.length : 0,
  });
}

function check({resourceType, limit, predicateExpression}: ListResourcesRequest): void {
  if (limit <= 0) throw new Refusal('bad parameter', 'nonpositive parameter limit');
  if (resourceType !== 'node') {
    throw new Refusal('not implemented', `resource type ${resourceType} does not support pagination`);
  }
  // The real one evaluates it; ignoring it here would show nodes that a real cluster leaves out.
  if (predicateExpression !== '') {
    throw new Refusal('not implemented', 'the development cluster evaluates no predicate expressions');
  }
}

/** Every keyword must occur, in any case, in one of the hostname, the address, the name and the labels. */
function matches({metadata, spec}: ServerV2, keywords: readonly string[]): boolean {
  const labels = Object.entries(metadata?.labels ?? {}).flat();
  const fields = [spec?.hostname, spec?.addr, metadata?.name, ...labels].map((field) => field?.toLowerCase());
  return keywords.every((keyword) => fields.some((field) => field?.includes(keyword.toLowerCase())));
}

function hasLabels({metadata}: ServerV2, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([key, value]) => metadata?.labels[key] === value);
}

const nameOf = (node: ServerV2) => node.metadata?.name ?? '';
