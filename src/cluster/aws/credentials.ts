// Where AWS credentials come from, in the order of AWS's own tools: the environment, the container, the instance.

import {Failure, Secret} from '../../errors.js';
import {askLocally} from '../cloud/local-http.js';
import type {AwsEnvironment} from './environment.js';
import type {MetadataService} from './metadata.js';
import type {AwsCredentials} from './sigv4.js';

export interface FoundCredentials extends AwsCredentials {
  /** For people: where they were found. */
  readonly source: string;
}

/** HOST_UNSUITABLE where there are none. */
export async function findCredentials(
  env: AwsEnvironment,
  metadata: MetadataService,
): Promise<FoundCredentials> {
  return ofEnvironment(env) ?? (await ofContainer(env)) ?? (await ofInstance(metadata));
}

function ofEnvironment(env: AwsEnvironment): FoundCredentials | undefined {
  const {AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token} = env;
  if (!id || !secret) return undefined;
  return checked({AccessKeyId: id, SecretAccessKey: secret, Token: token}, 'the environment');
}

const ECS = 'http://169.254.170.2';
// Where ECS and EKS answer; over plain HTTP nobody else is sent the authorization.
const CONTAINER_HOSTS = /^(169\.254\.170\.(2|23)|\[fd00:ec2::23\]|localhost|127\.[\d.]+|\[::1\])$/;

async function ofContainer(env: AwsEnvironment): Promise<FoundCredentials | undefined> {
  const {AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: path, AWS_CONTAINER_CREDENTIALS_FULL_URI: full} = env;
  const text = path ? `${ECS}${path}` : full;
  if (!text) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const safe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && CONTAINER_HOSTS.test(url.hostname));
  if (url === undefined || !safe) {
    throw new Failure('USAGE', 'AWS_CONTAINER_CREDENTIALS_FULL_URI names no service of this machine', {
      hint: 'it must be an https URL, or an http one of a loopback address or of the container service',
    });
  }
  const authorization = env['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  const source = `the container's credential service ${url.host}`;
  const {status, body} = await askLocally({
    method: 'GET',
    url,
    headers: {accept: 'application/json', ...(authorization && {authorization})},
  }).catch((cause: unknown) => {
    throw noCredentials(`${source} does not answer`, cause);
  });
  if (status !== 200) throw noCredentials(`${source} answered with status ${status}`);
  return checked(body, source);
}

const ROLES = 'meta-data/iam/security-credentials/';

async function ofInstance(metadata: MetadataService): Promise<FoundCredentials> {
  const roles = await metadata.get(ROLES).catch((error: unknown) => {
    throw noCredentials(error instanceof Failure ? (error.detail ?? error.message) : '', error);
  });
  const [role = ''] = (roles ?? '').trim().split('\n');
  if (!/^[\w+=,.@-]+$/.test(role)) throw noCredentials('this instance has no IAM role');
  return checked(await metadata.get(`${ROLES}${role}`), `the instance's role ${role}`);
}

/** JSON of a credential service, or its fields; nothing of them is ever shown. */
function checked(answer: string | object | undefined, source: string): FoundCredentials {
  const {AccessKeyId: id, SecretAccessKey: secret, Token: token} = fieldsOf(answer);
  if (!isPrintable(id) || !isPrintable(secret) || (token && !isPrintable(token))) {
    throw noCredentials(`${source} gives none that can be used`);
  }
  return {
    accessKeyId: id,
    secretAccessKey: new Secret(secret),
    ...(isPrintable(token) && {sessionToken: new Secret(token)}),
    source,
  };
}

function fieldsOf(answer: string | object | undefined): Partial<Record<string, unknown>> {
  try {
    const value: unknown = typeof answer === 'string' ? JSON.parse(answer) : answer;
    return typeof value === 'object' && value !== null ? {...value} : {};
  } catch {
    return {};
  }
}

// They become words of an HTTP header.
function isPrintable(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,8192}$/.test(value);
}

function noCredentials(detail: string, cause?: unknown): Failure {
  return new Failure('HOST_UNSUITABLE', 'this host has no AWS credentials to join with', {
    ...(detail !== '' && {detail}),
    hint:
      'give the instance an IAM role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ' +
      '(profiles and web identities are not read)',
    cause,
  });
}
