// Tags of a virtual machine of Azure, from its metadata service ("Azure Instance Metadata Service", tagsList).

import {askLocally} from './local-http.js';
import {type CloudContext, type CloudTags, codeOf, Elsewhere} from './tags.js';

const TAGS = 'metadata/instance/compute/tagsList?api-version=2021-02-01&format=json';

export async function azureTags({env, dial}: CloudContext): Promise<CloudTags> {
  // Azure has no variable of its own for that; tests have a service of theirs.
  const endpoint = env['AGENTLESS_AZURE_METADATA_ENDPOINT'] || 'http://169.254.169.254';
  const {status, body} = await askLocally({
    method: 'GET',
    url: new URL(TAGS, endpoint),
    headers: {metadata: 'true'},
    dial,
  }).catch((error: unknown) => {
    throw new Elsewhere(`Azure: no answer (${codeOf(error)})`);
  });
  const pairs = status === 200 ? pairsOf(body) : undefined;
  if (pairs === undefined) throw new Elsewhere(`Azure: no tags in the answer (status ${status})`);
  return {cloud: 'Azure', pairs, skipped: [], notes: []};
}

/** undefined: this is not how Azure answers. */
function pairsOf(text: string): [string, string][] | undefined {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  return list.flatMap((entry: unknown): [string, string][] => {
    const {name, value} = Object(entry) as {name?: unknown; value?: unknown};
    return typeof name === 'string' && typeof value === 'string' ? [[`azure/${name}`, value]] : [];
  });
}
