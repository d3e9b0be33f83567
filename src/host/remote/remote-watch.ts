// The dead man's switch: lines that the keeper at the other end runs in reverse (server.ts) when we are not heard of any more.

import {join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import type {Outcome, Traces, Undo, Watch} from '../host.js';
import {shellWord} from '../shell-word.js';
import {temporaryName} from '../temporary.js';
import type {Orders} from './orders.js';
import type {RemoteShell} from './remote-shell.js';
import {check} from './system-errors.js';

/** Seconds in which a change has to be confirmed. Nothing of a join takes a tenth of it. */
const PATIENCE = 120;

/** Seconds in which a rehearsal has to be over: what it is shown is valid no longer. */
const REHEARSAL = 600;

/** How long the host is waited for when it was lost: it undoes at once, or when PATIENCE is over. */
const WAIT = 20_000;
const PAUSE = 250;
const SHORT_PAUSE = 50;

function lineFor(undo: Undo): string {
  switch (undo.kind) {
    case 'absent':
      return line('was_absent', undo.path, temporaryName(undo.path));
    case 'file':
      return line('was_file', undo.path, temporaryName(undo.path), undo.copy, temporaryName(undo.copy));
    case 'directory': {
      const {path, mode, uid, gid} = undo;
      return line(
        'was_directory',
        path,
        temporaryName(path),
        `0${mode.toString(8)}`,
        String(uid),
        String(gid),
      );
    }
    case 'release':
    case 'settle':
      return line(undo.kind, ...undo.argv);
  }
}

/** Lines are turned round one by one: none may go over two. */
function line(...words: readonly string[]): string {
  return `${words.map((word) => shellWord(word).replaceAll('\n', `'"$n"'`)).join(' ')}\n`;
}

export class RemoteWatch implements Watch {
  readonly #shell: RemoteShell;
  readonly #orders: Orders;
  readonly #directory: string;

  constructor(shell: RemoteShell, orders: Orders, directory: string) {
    this.#shell = shell;
    this.#orders = orders;
    this.#directory = directory;
  }

  async begin({journal, saved, lock, made, marker}: Traces): Promise<void> {
    const [directory, transaction] = [this.#directory, join(this.#directory, 'transaction')];
    const traces = line('transaction', journal, saved, lock, marker ?? '', ...[...made].reverse());
    // Where the directory cannot be made none of the others works either.
    const [place, told, armed] = await Promise.all([
      this.#shell.call('mkdir', '-m', '0700', directory),
      this.#shell.feed(traces, 'note', transaction),
      this.#shell.command('arm', directory, String(PATIENCE)),
    ]);
    check(place, 'mkdir', directory);
    check(told, 'write', transaction);
    check(armed, 'arm', directory);
  }

  async stage(path: string): Promise<void> {
    check(await this.#shell.command('stage', path, String(REHEARSAL)), 'directory', path);
  }

  async note(undo: Undo): Promise<void> {
    const path = join(this.#directory, 'undo');
    await this.#orders.change('write', path, (caller) => caller.feed(lineFor(undo), 'note', path));
  }

  async confirm(): Promise<void> {
    const [armed, confirmed] = ['armed', 'confirmed'].map((name) => shellWord(join(this.#directory, name)));
    // sshd may just be on its way back from a reload.
    for (const deadline = Date.now() + WAIT; ; await pause(SHORT_PAUSE)) {
      try {
        const said = await this.#shell.anew(
          `mv ${armed} ${confirmed} 2>/dev/null && echo in time || echo late`,
        );
        if (said.trim().endsWith('in time')) return;
        throw this.#shell.undone();
      } catch (error) {
        if (this.#shell.isLost) throw error;
        if (Date.now() < deadline) continue;
        const {detail, message} = error as Failure;
        throw new Failure('CHANGE_FAILED', `nobody can log in to ${this.#shell.where} any more`, {
          detail: detail ?? message,
          hint: 'seen by a second connection while the first one was still there; please report this',
          cause: error,
        });
      }
    }
  }

  /** Fails never: a connection that is lost needs no word that nothing is left to undo. */
  async end(): Promise<void> {
    await this.#shell.call('free', this.#directory).catch(() => undefined);
  }

  get isLost(): boolean {
    return this.#shell.isLost;
  }

  async settled(journal: string): Promise<Outcome> {
    const [ours, open] = [this.#directory, journal].map(shellWord);
    const committed = `grep -q '^{"line":"commit"' ${open}`;
    const over = `if [ ! -f ${open} ]; then echo undone; elif ${committed}; then echo kept; else echo stuck; fi`;
    const ask = `if [ -d ${ours} ]; then echo waiting; else ${over}; fi`;
    for (const deadline = Date.now() + WAIT; Date.now() < deadline; await pause(PAUSE)) {
      const said = (await this.#shell.anew(ask).catch(() => '')).trim();
      const outcome = (['undone', 'kept', 'stuck'] as const).find((word) => said.endsWith(word));
      if (outcome !== undefined) return outcome;
    }
    return 'unknown';
  }
}

const pause = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));
