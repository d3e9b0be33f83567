// HTTP to a service of the machine itself: the metadata service, the credential service of a container, and what a
// cloud shows only to its own machines. Never through an HTTP proxy.

import {once} from 'node:events';
import type {Duplex} from 'node:stream';
import {connect as startTls} from 'node:tls';
import {Agent, type buildConnector, errors, request} from 'undici';

export interface LocalAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Opens a connection as seen from the machine in question; the signal ends the attempt, or the connection. */
export type Dial = (address: string, port: number, signal?: AbortSignal) => Promise<Duplex>;

export interface LocalRequest {
  readonly method: 'GET' | 'PUT';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: from here. */
  readonly dial?: Dial | undefined;
}

// On the machine itself nothing takes long; where nobody answers, nobody shall wait.
const PATIENCE = 2000;
const LARGEST_ANSWER = 256 * 1024;

/** One request on a connection of its own; redirects are not followed. Rejects with an error that has a code. */
export async function askLocally({method, url, headers = {}, dial}: LocalRequest): Promise<LocalAnswer> {
  const signal = AbortSignal.timeout(PATIENCE);
  const agent = new Agent({
    connect: dial === undefined ? {timeout: PATIENCE} : connectorOver(dial, signal),
    headersTimeout: PATIENCE,
    bodyTimeout: PATIENCE,
    maxResponseSize: LARGEST_ANSWER,
  });
  try {
    const answer = await request(url, {method, headers, signal, dispatcher: agent});
    return {status: answer.statusCode, headers: answer.headers, body: await answer.body.text()};
  } catch (error) {
    const slow = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
    if (!slow && !signal.aborted) throw error;
    throw Object.assign(new Error('no answer in time', {cause: error}), {code: 'ETIMEDOUT'});
  } finally {
    await agent.destroy();
  }
}

/** What undici calls for a connection. */
function connectorOver(dial: Dial, signal: AbortSignal): buildConnector.connector {
  return ({hostname, port, protocol}, done) => {
    const secure = protocol === 'https:';
    const open = async () => {
      const bytes = await dial(hostname.replace(/^\[|\]$/g, ''), Number(port) || (secure ? 443 : 80), signal);
      if (!secure) return bytes;
      const socket = startTls({socket: bytes, servername: hostname, ALPNProtocols: ['http/1.1']});
      await once(socket, 'secureConnect', {signal});
      return socket;
    };
    open().then(
      // It reads and writes, and asks for nothing that only a socket has.
      (stream) => done(null, stream as Parameters<buildConnector.Callback>[1] & Duplex),
      (error: Error) => done(error, null),
    );
  };
}
