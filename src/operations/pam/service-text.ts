// What our services say: complete for an sshd that asks for ours, else what its own service includes. Pure but for reading
// the templates.

import {type Stack, TYPES, type Type} from '../../pam/index.js';
import {render} from '../../templates.js';
import {PAM_PLACES, pamPaths} from './places.js';
import type {PamSettings} from './settings.js';

export function serviceText(settings: PamSettings, stack: Stack, name: string, script: string): string {
  // PAM goes by "other" for a type that has no rules, and would no longer once ours are there.
  const has = (type: Type) =>
    stack.lines.some(({content}) => 'type' in content && (content.type ?? type) === type);
  const from = (type: Type) => (has(type) ? settings.base : 'other');
  const types = Object.fromEntries(TYPES.map((type) => [type, from(type)]));
  return render('pam/service', {...types, ...common(settings, script), name});
}

export function addOnText(settings: PamSettings, name: string, script: string): string {
  const auth = settings.auth ? `auth      include   ${settings.base}\n` : '';
  return render('pam/add-on', {...common(settings, script), auth, name});
}

function common({base, required, motd}: PamSettings, script: string) {
  const line =
    motd === undefined ? '' : `session   [default=ignore]  pam_motd.so ${argument(`motd=${motd}`)}\n`;
  return {
    base,
    script,
    hooks: pamPaths(PAM_PLACES).hooks,
    control: required ? '[success=ignore default=bad]' : '[default=ignore]',
    motd: line,
  };
}

/** Brackets keep blanks; a bracket that closes would end them. */
function argument(word: string): string {
  return /^[\w=/.,:@%+-]+$/.test(word) ? word : `[${word.replaceAll(']', '\\]')}]`;
}
