// Where a remote host is, in ssh's own terms: what follows is asked of the system's ssh, with the user's configuration,
// agent, known hosts and jump hosts.

import {Failure} from '../../errors.js';

/** `[user@]host[:port]`, an IPv6 address in brackets; the host may be an alias of ssh_config. */
export interface Destination {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
}

/**
 * What ssh of 9.6 refuses in a name, and an older one gives to the shell that runs a ProxyCommand. A user of a domain has a
 * backslash, or an @ of its own.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are among them.
const FOR_A_SHELL = /[\0-\x1f\x7f'"`$;&<>|(){}]/;

/** USAGE for what could be an option of ssh, two things, or code. */
export function parseDestination(text: string): Destination {
  const match =
    /^(?:([^@\s]+(?:@[^@\s]+)*)@)?(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^@:\s[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const [, user, bracketed, plain, digits] = match ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? undefined : Number(digits);
  const isOption = [user, host].some((word) => word?.startsWith('-'));
  const isCode = FOR_A_SHELL.test(text) || host?.includes('\\');
  if (host === undefined || isOption || isCode || (port !== undefined && (port < 1 || port > 65_535))) {
    throw new Failure('USAGE', `--host ${JSON.stringify(text)} is no address of a host`, {
      hint: 'give [user@]host[:port], such as root@web1 or admin@[2001:db8::7]:2222',
    });
  }
  return {host, ...(user !== undefined && {user}), ...(port !== undefined && {port})};
}

/** The words that name it to ssh, after all options. */
export function wordsFor({user, host, port}: Destination): readonly string[] {
  return [
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '--',
    host,
  ];
}
