// Labels of a virtual machine of Google's. Its metadata server does not know them: as Teleport's own agent does, they are
// read from the Compute Engine API by the service account of the machine. Of the metadata server's own, which are scripts
// and secrets as well, only one attribute is taken, that is meant for it.

import {Failure} from '../../errors.js';
import {readLabelText} from '../../ssh/label-text.js';
import {askLocally, type LocalAnswer} from './local-http.js';
import {type CloudContext, type CloudTags, codeOf, Elsewhere} from './tags.js';

const ATTRIBUTE = 'agentless-labels';
const FLAVOR = {'metadata-flavor': 'Google'};

export async function gcpTags(context: CloudContext): Promise<CloudTags> {
  const zone = await zoneOf(context);
  const [attribute, account, project, name] = await Promise.all([
    metadata(context, `instance/attributes/${ATTRIBUTE}`),
    metadata(context, 'instance/service-accounts/default/token'),
    metadata(context, 'project/project-id'),
    metadata(context, 'instance/name'),
  ]);
  const written = attribute === undefined ? [] : readLabelText(attribute, `the attribute ${ATTRIBUTE}`);
  const machine = `projects/${project}/zones/${zone}/instances/${name}`;
  const labels = await labelsOf(context, machine, account).catch((error: unknown) => {
    if (!(error instanceof Unreadable)) throw error;
    if (attribute !== undefined) return error;
    throw new Failure('HOST_UNSUITABLE', 'the labels of this virtual machine cannot be read', {
      detail: error.message,
      hint:
        'give its service account the permission compute.instances.get and the machine the scope compute-ro, ' +
        `or write labels into its metadata attribute ${ATTRIBUTE}`,
      cause: error,
    });
  });
  if (!(labels instanceof Unreadable))
    return {cloud: 'GCP', pairs: [...labels, ...written], skipped: [], notes: []};
  const note = `only the attribute ${ATTRIBUTE} was read, not the labels of this machine: ${labels.message}`;
  return {cloud: 'GCP', pairs: written, skipped: [], notes: [note]};
}

/** Last word of "projects/42/zones/europe-west3-a"; Elsewhere where no metadata server of Google's answers. */
async function zoneOf(context: CloudContext): Promise<string> {
  const {status, headers, body} = await askMetadata(context, 'instance/zone').catch((error: unknown) => {
    throw new Elsewhere(`GCP: no answer (${codeOf(error)})`);
  });
  if (headers['metadata-flavor'] !== FLAVOR['metadata-flavor'] || status !== 200)
    throw new Elsewhere(`GCP: not its metadata server (status ${status})`);
  return body.trim().replace(/^.*\//, '');
}

function askMetadata({env, dial}: CloudContext, path: string): Promise<LocalAnswer> {
  // The variable of Google's own libraries.
  const host = env['GCE_METADATA_HOST'] || '169.254.169.254';
  const url = `http://${host}/computeMetadata/v1/${path}`;
  if (!URL.canParse(url)) {
    throw new Failure('USAGE', 'GCE_METADATA_HOST is no host', {
      hint: 'write host[:port], or leave it unset',
    });
  }
  return askLocally({method: 'GET', url: new URL(url), headers: FLAVOR, dial});
}

/** undefined: there is no such thing. */
async function metadata(context: CloudContext, path: string): Promise<string | undefined> {
  const {status, body} = await askMetadata(context, path).catch((cause: unknown) => {
    throw unanswered(`${path}: no answer (${codeOf(cause)})`, cause);
  });
  if (status === 404) return undefined;
  if (status !== 200) throw unanswered(`${path}: status ${status}`);
  return body;
}

function unanswered(detail: string, cause?: unknown): Failure {
  return new Failure('HOST_UNSUITABLE', "Google's metadata server does not tell what it should", {
    detail,
    hint: 'it may be under maintenance for a moment; try again',
    cause,
  });
}

/** In words: what keeps this machine from reading its own labels. */
class Unreadable extends Error {}

async function labelsOf(
  {env, dial}: CloudContext,
  machine: string,
  account: string | undefined,
): Promise<[string, string][]> {
  const token = account === undefined ? undefined : fieldOf(account, 'access_token');
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,8192}$/.test(token))
    throw new Unreadable('this machine has no service account');
  if (!/^projects\/[a-z0-9.:-]+\/zones\/[a-z0-9-]+\/instances\/[a-z0-9-]+$/.test(machine))
    throw new Unreadable('the metadata server does not say which machine this is');
  // Tests have a service of theirs.
  const api = env['AGENTLESS_GCP_COMPUTE_ENDPOINT'] || 'https://compute.googleapis.com';
  const {status, body} = await askLocally({
    method: 'GET',
    url: new URL(`/compute/v1/${machine}?fields=labels`, api),
    headers: {authorization: `Bearer ${token}`},
    dial,
  }).catch((error: unknown) => {
    throw new Unreadable(`${new URL(api).host} does not answer (${codeOf(error)})`);
  });
  if (status !== 200) throw new Unreadable(`${new URL(api).host} answers with status ${status}`);
  const labels: object = Object(fieldOf(body, 'labels'));
  return Object.entries(labels).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string' ? [[`gcp/label/${name}`, value]] : [],
  );
}

function fieldOf(text: string, name: string): unknown {
  try {
    return (Object(JSON.parse(text)) as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}
