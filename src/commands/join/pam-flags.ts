import {CLIError} from '@oclif/core/errors';
import * as Flags from '@oclif/core/flags';
import type {PamWish} from '../../operations/pam/settings.js';

/** What a join does about PAM. */
export const pamFlags = {
  pam: Flags.boolean({
    summary:
      'have PAM run the hooks in /etc/agentless/pam.d at logins (the default where sshd uses PAM); --no-pam leaves it alone',
    allowNo: true,
  }),
  'pam-motd': Flags.string({
    summary: 'file that PAM shows to whoever logs in',
    helpValue: 'FILE',
    parse: async (given) => {
      if (/^\/[^\p{Cc}\\\]]*$/u.test(given) || given === '') return given;
      throw new CLIError('expected an absolute path without control characters, \\ and ]');
    },
  }),
  'pam-auth': Flags.boolean({
    summary: "rules of sshd's for the password prompt of Teleport's own SSH service (use_pam_auth)",
    allowNo: true,
  }),
  'provision-logins': Flags.string({
    summary: 'make these accounts first, where they are missing; as `agentless pam provision` does',
    helpValue: 'LOGIN,…',
    multiple: true,
  }),
  'pam-required': Flags.boolean({
    summary: 'a hook that fails keeps the login out',
    allowNo: true,
  }),
};

/** `pamFlags` as parsed. */
export interface PamFlags {
  readonly pam: boolean | undefined;
  readonly 'pam-motd': string | undefined;
  readonly 'pam-auth': boolean | undefined;
  readonly 'pam-required': boolean | undefined;
  readonly 'provision-logins': readonly string[] | undefined;
}

export function pamFrom(flags: PamFlags): PamWish {
  const {pam, 'pam-motd': motd, 'pam-auth': auth, 'pam-required': required} = flags;
  return {
    ...(pam !== undefined && {choice: pam ? 'insist' : 'none'}),
    ...(motd !== undefined && {motd}),
    ...(auth !== undefined && {auth}),
    ...(required !== undefined && {required}),
  };
}
