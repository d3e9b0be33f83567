// Node records come in pages.

import {Failure} from '../errors.js';
import type {AuthConnection} from './auth-connection.js';
import type {Node} from './cluster.js';
import {NAMESPACE, readNode} from './node-record.js';

const PAGE = 500;
// A keyword is found anywhere in a node, so a short name can match very many.
const MOST_PAGES = 200;

/** Every node that the caller may see; those with that keyword somewhere, when there is one. */
export async function listNodes(connection: AuthConnection, keyword?: string): Promise<readonly Node[]> {
  const nodes: Node[] = [];
  const searchKeywords = keyword === undefined ? [] : [keyword];
  const query = {resourceType: 'node', namespace: NAMESPACE, limit: PAGE, searchKeywords};
  let startKey = '';
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await connection.call('list nodes', ({auth}, options) =>
      auth.listResources({...query, startKey}, options),
    );
    for (const {resource} of answer.resources)
      if (resource.case === 'node') nodes.push(readNode(resource.value));
    startKey = answer.nextKey;
    if (startKey === '') return nodes;
  }
  const which = keyword === undefined ? '' : ` that match ${JSON.stringify(keyword)}`;
  throw new Failure('CLUSTER_REPLY_INVALID', `the cluster has no end of nodes${which}`, {
    hint: 'look at the log of the auth service',
  });
}
