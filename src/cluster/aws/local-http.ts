// HTTP to a service of the machine itself: the metadata service, the credential service of a container. Never through
// an HTTP proxy.

import {Agent, errors, request} from 'undici';

export interface LocalAnswer {
  readonly status: number;
  readonly body: string;
}

export interface LocalRequest {
  readonly method: 'GET' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
}

// On the machine itself nothing takes long; where nobody answers, nobody shall wait.
const PATIENCE = 2000;
const LARGEST_ANSWER = 256 * 1024;

/** One request on a connection of its own; redirects are not followed. Rejects with an error that has a code. */
export async function askLocally({method, url, headers = {}}: LocalRequest): Promise<LocalAnswer> {
  const agent = new Agent({
    connect: {timeout: PATIENCE},
    headersTimeout: PATIENCE,
    bodyTimeout: PATIENCE,
    maxResponseSize: LARGEST_ANSWER,
  });
  try {
    const {statusCode, body} = await request(url, {method, headers, dispatcher: agent});
    return {status: statusCode, body: await body.text()};
  } catch (error) {
    const slow = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
    throw slow ? Object.assign(new Error('no answer in time', {cause: error}), {code: 'ETIMEDOUT'}) : error;
  } finally {
    await agent.destroy();
  }
}
