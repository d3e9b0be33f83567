// Connections to ports as the host sees them. ssh forwards them (-W), which needs nothing there; where sshd forbids that,
// as hardened hosts do, a relay on the host makes them. What works for a port is tried first from then on.

import {randomBytes} from 'node:crypto';
import type {Duplex} from 'node:stream';
import {Failure} from '../../errors.js';
import {shellWord} from '../shell-word.js';
import {connectionOf, NotConnected} from './connection.js';
import {NO_RELAY, RELAY, RELAYS} from './relay.js';
import type {Child} from './ssh.js';

/** What the connection to the host does for us. */
export interface Line {
  readonly where: string;
  /** An ssh that leads to this address and port, over that connection. */
  forward(endpoint: string): Child;
  /** Runs a program of the shell over that connection, which reads on from there; as the login, without sudo. */
  start(program: string): Child;
  /** Tells all that ssh says of that connection; ends by calling what is returned. */
  listen(hear: (words: string) => void): () => void;
}

type Way = 'forward' | 'relay';

export class Dialler {
  readonly #line: Line;
  readonly #ways = new Map<string, Way>();

  constructor(line: Line) {
    this.#line = line;
  }

  /** Rejects with NotConnected, or with HOST_UNSUITABLE where there is no way to any port. */
  async dial(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    const endpoint = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const known = this.#ways.get(endpoint);
    let words = '';
    const stop = this.#line.listen((more) => {
      words += more;
    });
    try {
      if (known === 'forward') return await this.#forward(endpoint, signal);
      if (known === undefined) {
        const stream = await this.#forward(endpoint, signal).catch(() => undefined);
        if (stream !== undefined) return this.#by('forward', endpoint, stream);
        signal?.throwIfAborted();
      }
      return this.#by('relay', endpoint, await this.#relay(host, port, signal));
    } catch (error) {
      if (!(error instanceof NotConnected) || error.status !== NO_RELAY) throw error;
      const said = [...new Set(words.match(/open failed: .*/g))].join('\n');
      if (!/prohibited/.test(said))
        throw new NotConnected('ECONNREFUSED', said || 'ssh cannot forward to it');
      throw forbidden(this.#line.where, endpoint, said);
    } finally {
      stop();
    }
  }

  #by(way: Way, endpoint: string, stream: Duplex): Duplex {
    this.#ways.set(endpoint, way);
    return stream;
  }

  /** Whether it was made ssh tells with its traces alone: whoever waits for a first word need not be sent one. */
  #forward(endpoint: string, signal?: AbortSignal): Promise<Duplex> {
    return connectionOf(this.#line.forward(endpoint), {said: /stdio_fwd: master session id/}, signal);
  }

  #relay(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    const mark = `@@${randomBytes(16).toString('hex')}`;
    const child = this.#line.start(`mark=${mark} host=${shellWord(host)} port=${port}\n${RELAY}`);
    return connectionOf(child, {mark}, signal);
  }
}

function forbidden(where: string, endpoint: string, said: string): Failure {
  return new Failure(
    'HOST_UNSUITABLE',
    `sshd on ${where} forbids forwarding, so that it cannot be asked what it serves`,
    {
      detail: `${endpoint}: ${said}`,
      hint: [
        `let its sshd forward for this login (in a Match: DisableForwarding no, AllowTcpForwarding local, PermitOpen ${endpoint}),`,
        `or have ${RELAYS} there, or run agentless on ${where} itself`,
      ].join('\n'),
    },
  );
}
