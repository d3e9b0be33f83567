// HTTP to a service of the machine itself: the metadata service, the credential service of a container. Never through
// an HTTP proxy.

import http from 'node:http';

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

/** One request on a connection of its own. Rejects with the socket's error, or ETIMEDOUT. */
export async function askLocally({method, url, headers = {}}: LocalRequest): Promise<LocalAnswer> {
  const {request} = url.protocol === 'https:' ? await import('node:https') : http;
  return new Promise((resolve, reject) => {
    const fail = (code: string) => call.destroy(Object.assign(new Error(code), {code}));
    const call = request(url, {method, headers, agent: false}, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size > LARGEST_ANSWER) fail('EMSGSIZE');
      });
      response.on('error', reject);
      response.on('end', () => {
        resolve({status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString()});
      });
    });
    const timer = setTimeout(() => fail('ETIMEDOUT'), PATIENCE);
    call.on('close', () => clearTimeout(timer));
    call.on('error', reject);
    call.end();
  });
}
