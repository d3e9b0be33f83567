// Another time in a namespace, by libfaketime.

import {spawnSync} from 'node:child_process';
import type {Namespace} from './namespace.js';

/**
 * Each behind a script that has another time; the throw-away sshd of a rehearsal is started by ssh, and has it too. The one
 * that listens does not: the sandbox of its children forbids what the library does when they end.
 */
const SET = String.raw`
mkdir /run/real
for name in date ssh; do
  path=$(command -v $name) real=/run/real/$name
  touch $real
  mount --bind "$path" $real
  printf '#!/bin/sh\nexec faketime -f %s %s "$@"\n' "$1" $real >$real.sh
  chmod 755 $real.sh
  mount --bind $real.sh "$path"
done
`;

const RESET = `
[ -e /run/real ] || exit 0
for name in date ssh; do umount -l "$(command -v $name)" /run/real/$name; done
rm -rf /run/real
`;

export const canFakeTime = (): boolean => spawnSync('faketime', ['--version']).status === 0;

/** `by`: +10m, -2d. */
export function setClock(space: Namespace, by: string): void {
  space.run('sh', '-ec', SET, 'sh', by);
  const apart = Number(space.run('date', '+%s')) - Date.now() / 1000;
  if (!(Math.abs(apart) > 25)) throw new Error(`the clock there is ${apart} seconds ahead`);
}

export function resetClock(space: Namespace): void {
  space.run('sh', '-ec', RESET);
}
