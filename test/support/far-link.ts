// The cable between this machine and a host in a network namespace.

import {execFileSync} from 'node:child_process';
import {randomInt} from 'node:crypto';

const HARDWARE = '02:00:00:00:00:02';

const ip = (...words: readonly string[]): string =>
  execFileSync('ip', words, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe']});

export class Link {
  /** Its end here; the name is the number, so that whoever has it first has the addresses too. */
  readonly name: string;
  readonly address: string;
  readonly #pid: number;

  /** To the network namespace of this process, with whose end it goes. */
  constructor(pid: number) {
    this.#pid = pid;
    // One of the networks of four addresses in 198.18.0.0/15, which is nobody's (RFC 2544).
    const number = randomInt(2 ** 15);
    const network = (198 << 24) + (18 << 16) + number * 4;
    const [near, far] = [network + 1, network + 2].map(dotted);
    this.name = `far${number}`;
    this.address = far ?? '';
    ip(
      'link',
      'add',
      this.name,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'address',
      HARDWARE,
      'netns',
      String(pid),
    );
    ip('address', 'add', `${near}/30`, 'dev', this.name);
    ip('link', 'set', this.name, 'up');
    // Known for good: what is sent to a host whose link is down gets lost, and is not refused by this machine.
    ip('neighbour', 'add', this.address, 'lladdr', HARDWARE, 'dev', this.name, 'nud', 'permanent');
    this.#there('address', 'add', `${this.address}/30`, 'dev', 'eth0');
    this.#there('link', 'set', 'lo', 'up');
    this.up();
  }

  down(): void {
    this.#there('link', 'set', 'eth0', 'down');
  }

  up(): void {
    this.#there('link', 'set', 'eth0', 'up');
  }

  #there(...words: readonly string[]): void {
    execFileSync('nsenter', ['-t', String(this.#pid), '-n', 'ip', ...words]);
  }
}

const dotted = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
