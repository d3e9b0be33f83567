// What can be wrong with a joined host: a closed list, so that scripts can rely on the codes.

import type {Failure} from '../../errors.js';
import {shellWord} from '../../host/shell-word.js';
import type {JoinSettings} from '../settings.js';

/** How a problem reads in one word, what it means for the host as a whole, and the usual way out. */
const KINDS = {
  NOT_JOINED: {kind: 'absent', word: 'join'},
  UNREADABLE: {kind: 'unknown', word: 'unseen'},
  RECORD_DAMAGED: {kind: 'unknown', word: 'record'},
  RECORD_NEWER: {kind: 'unknown', word: 'record'},
  RECORD_OF_OTHER_HOST: {kind: 'drift', word: 'record'},
  INTERRUPTED: {kind: 'interrupted', word: 'interrupted'},
  JOURNAL_UNUSABLE: {kind: 'interrupted', word: 'interrupted'},
  BUSY: {kind: 'interrupted', word: 'busy'},
  DATA_DIRECTORY_OPEN: {kind: 'drift', word: 'open'},
  SSHD_MISSING: {kind: 'drift', word: 'sshd'},
  SSHD_STOPPED: {kind: 'drift', word: 'sshd'},
  SSHD_CONFIG_INVALID: {kind: 'drift', word: 'sshd'},
  LINES_MISSING: {kind: 'drift', word: 'missing'},
  FILE_MISSING: {kind: 'drift', word: 'missing'},
  FILE_CHANGED: {kind: 'drift', word: 'changed'},
  FILE_REPLACED: {kind: 'drift', word: 'replaced'},
  OVERRIDDEN: {kind: 'drift', word: 'overridden'},
  NOT_IN_EFFECT: {kind: 'drift', word: 'overridden'},
  NOT_SERVED: {kind: 'drift', word: 'not served'},
  SERVED_UNSEEN: {kind: 'unknown', word: 'unseen'},
  LOGINS_DENIED: {kind: 'drift', word: 'denied'},
  PAM_LINES_MISSING: {kind: 'drift', word: 'missing'},
  PAM_NOT_REACHED: {kind: 'drift', word: 'PAM'},
  PAM_UNUSED: {kind: 'drift', word: 'PAM'},
  CERTIFICATE_INVALID: {kind: 'drift', word: 'certificate'},
  CERTIFICATE_EXPIRED: {kind: 'drift', word: 'expired'},
  CERTIFICATE_NOT_YET_VALID: {kind: 'drift', word: 'not yet'},
  CERTIFICATE_ENDING: {kind: 'due', word: 'ending'},
  NAMES_MISSING: {kind: 'due', word: 'names'},
  HOST_KEY_NEW: {kind: 'due', word: 'new key'},
  HOST_KEY_REPLACED: {kind: 'drift', word: 'new key'},
  AUTHORITIES_UNREADABLE: {kind: 'drift', word: 'user CA'},
  SITE_AUTHORITY_MISSING: {kind: 'due', word: 'user CA'},
  IDENTITY_MISSING: {kind: 'drift', word: 'identity'},
  IDENTITY_DAMAGED: {kind: 'drift', word: 'identity'},
  IDENTITY_EXPIRED: {kind: 'drift', word: 'identity'},
  IDENTITY_NOT_YET_VALID: {kind: 'drift', word: 'identity'},
  IDENTITY_ENDING: {kind: 'due', word: 'ending'},
  CLUSTER_UNREACHABLE: {kind: 'cluster', word: 'cluster'},
  CLUSTER_UNTRUSTED: {kind: 'cluster', word: 'cluster'},
  IDENTITY_REFUSED: {kind: 'cluster', word: 'identity'},
  NODE_MISSING: {kind: 'cluster', word: 'node'},
  NODE_CHANGED: {kind: 'cluster', word: 'node'},
  NODE_DUPLICATE: {kind: 'cluster', word: 'node'},
  SIGNER_INACTIVE: {kind: 'due', word: 'signer'},
  AUTHORITIES_OUTDATED: {kind: 'due', word: 'user CA'},
  AUTHORITY_MISSING: {kind: 'drift', word: 'user CA'},
  USER_AUTHORITY: {kind: 'drift', word: 'user CA'},
} as const satisfies Record<string, {kind: ProblemKind; word: string}>;

/** From what weighs most: nothing can be said, nothing is there, a change hangs, something is off, work is due. */
export const PROBLEM_KINDS = ['absent', 'unknown', 'interrupted', 'drift', 'cluster', 'due'] as const;

export type ProblemKind = (typeof PROBLEM_KINDS)[number];
export type ProblemCode = keyof typeof KINDS;

/** Every code there is, for schemas. */
export const PROBLEM_CODES = Object.keys(KINDS) as readonly ProblemCode[];

export interface Problem {
  readonly code: ProblemCode;
  /** One line, lower case, no full stop. */
  readonly message: string;
  /** Somebody else's words, verbatim, or a list of lines. */
  readonly detail?: string;
  /** What to do: a command where there is one. */
  readonly fix: string;
}

export function problem(code: ProblemCode, message: string, fix: string, detail?: string): Problem {
  return {code, message, ...(detail !== undefined && detail !== '' && {detail}), fix};
}

/** What sshd says against its configuration, told by who only looks: nothing was left alone, and nothing is run again. */
export function refusedConfig({message, detail, hint = ''}: Failure): Problem {
  const [what] = message.split(', so it was left alone');
  const text = `${what}, and will not survive a reload or restart`;
  const fix = hint.replace(/(, and run this again|; nothing was changed)$/, '');
  return problem('SSHD_CONFIG_INVALID', text, fix, detail);
}

export function kindOf({code}: Problem): ProblemKind {
  return KINDS[code].kind;
}

export function wordOf({code}: Problem): string {
  return KINDS[code].word;
}

/** Where somebody has said that a host keeps its things: a command that is to be typed must say so, too. */
export interface Place {
  readonly dataDir: string;
  /** Absent: nothing was said, and it is that of the join. */
  readonly config?: string | undefined;
  /** Words with which a command works at the host from here. */
  readonly reachedBy?: string | undefined;
}

export const USUAL = {dataDir: '/var/lib/agentless', config: '/etc/ssh/sshd_config'} as const;

/** Commands to type, with the flags that this host needs. */
export interface Commands {
  readonly join: string;
  readonly repair: string;
  readonly renew: string;
  /** Puts the timer right, or takes it out where nothing can be renewed without somebody who speaks for the host. */
  readonly timer: string;
  readonly status: string;
  readonly doctor: string;
}

/** `settings` of a host that has joined, as far as they are known. */
export function commandsFor(
  {dataDir, config, reachedBy}: Place,
  settings?: Partial<Pick<JoinSettings, 'identity' | 'proxy' | 'config'>>,
): Commands {
  const flag = (name: string, value: string | undefined, usual: string) =>
    value === undefined || value === usual ? '' : ` ${name} ${shellWord(value)}`;
  const kept = settings?.config ?? USUAL.config;
  const data = flag('--data-dir', dataDir, USUAL.dataDir);
  const looking = data + flag('--openssh-config', config, kept);
  const joining = data + flag('--openssh-config', config ?? kept, USUAL.config);
  const command = reachedBy === undefined ? 'sudo agentless' : 'agentless';
  const there = reachedBy === undefined ? '' : ` ${reachedBy}`;
  const discarded = settings?.identity === 'discarded';
  const speaker = discarded ? ' --identity FILE' : '';
  return {
    join: `${command} join openssh${there} --proxy-server ${settings?.proxy ?? 'PROXY'} --token-file FILE${joining}`,
    repair: `${command} renew${there} --repair${speaker}${data}`,
    renew: `${command} renew${there}${speaker}${data}`,
    timer: `${command} renew${there} ${discarded ? '--remove-timer' : '--install-timer'}${speaker}${data}`,
    status: `${command} status${there}${looking}`,
    doctor: `${command} doctor${there}${looking}`,
  };
}
