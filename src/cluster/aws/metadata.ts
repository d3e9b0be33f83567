// The instance metadata service of EC2, version 2 (EC2 User Guide, "Use the Instance Metadata Service").

import {Failure} from '../../errors.js';
import {askLocally, type Dial, type LocalAnswer} from '../cloud/local-http.js';
import type {AwsEnvironment} from './environment.js';

const ENDPOINTS: Readonly<Record<string, string>> = {
  ipv4: 'http://169.254.169.254',
  ipv6: 'http://[fd00:ec2::254]',
};
const TOKEN_TTL = '300';

/** Asks nothing until it is asked; one session for all questions. */
export class MetadataService {
  readonly #endpoint: URL;
  readonly #disabled: boolean;
  readonly #dial: Dial | undefined;
  #session: Promise<string> | undefined;

  /** USAGE for an endpoint that is no URL. `dial`: how the machine in question is asked; absent: it is this one. */
  constructor(env: AwsEnvironment, dial?: Dial) {
    this.#endpoint = endpointOf(env);
    this.#dial = dial;
    this.#disabled = env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true';
  }

  /** The text at a path below /latest/; undefined when there is none. HOST_UNSUITABLE when nobody answers. */
  async get(path: string): Promise<string | undefined> {
    this.#session ??= this.#begin();
    const headers = {'x-aws-ec2-metadata-token': await this.#session};
    const {status, body} = await this.#ask('GET', path, headers);
    if (status === 404) return undefined;
    if (status !== 200) throw notAnInstance(`it answered with status ${status} when asked for ${path}`);
    return body;
  }

  async #begin(): Promise<string> {
    if (this.#disabled) throw notAnInstance('AWS_EC2_METADATA_DISABLED is set');
    const headers = {'x-aws-ec2-metadata-token-ttl-seconds': TOKEN_TTL};
    const {status, body} = await this.#ask('PUT', 'api/token', headers);
    if (status === 200 && /^[\x21-\x7e]+$/.test(body)) return body;
    throw notAnInstance(`it answered with status ${status} when asked for a session`);
  }

  async #ask(method: 'GET' | 'PUT', path: string, headers: Record<string, string>): Promise<LocalAnswer> {
    const url = new URL(`latest/${path}`, this.#endpoint);
    return askLocally({method, url, headers, dial: this.#dial}).catch((cause: unknown) => {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
      throw notAnInstance(`${this.#endpoint.host} does not answer (${code})`, cause);
    });
  }
}

function endpointOf(env: AwsEnvironment): URL {
  const mode = env['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE']?.toLowerCase() ?? 'ipv4';
  const text = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || ENDPOINTS[mode] || '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') {
    if (!url.pathname.endsWith('/')) url.pathname += '/';
    return url;
  }
  throw new Failure('USAGE', 'AWS_EC2_METADATA_SERVICE_ENDPOINT or its _MODE is not what AWS documents', {
    hint: 'write http://169.254.169.254, or leave both unset',
  });
}

function notAnInstance(detail: string, cause?: unknown): Failure {
  return new Failure(
    'HOST_UNSUITABLE',
    'this host is not an EC2 instance, or its metadata service does not answer',
    {
      detail,
      hint:
        'the instance must allow IMDSv2 (in a container: with a hop limit of 2); ' +
        'elsewhere use a token of method "token"',
      cause,
    },
  );
}
