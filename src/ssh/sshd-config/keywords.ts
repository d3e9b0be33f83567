// Which keywords are names of the same setting, and which collect their values instead of keeping the first.

/** Old names, for the name in use. */
const RENAMED: Readonly<Record<string, string>> = {
  challengeresponseauthentication: 'kbdinteractiveauthentication',
  dsaauthentication: 'pubkeyauthentication',
  hostbasedacceptedkeytypes: 'hostbasedacceptedalgorithms',
  hostdsakey: 'hostkey',
  keepalive: 'tcpkeepalive',
  pubkeyacceptedkeytypes: 'pubkeyacceptedalgorithms',
  skeyauthentication: 'kbdinteractiveauthentication',
};

/**
 * Keywords whose lines add up. Every other keyword keeps the first line; that includes SetEnv, AuthorizedKeysFile and
 * AuthenticationMethods, whose one line may hold several values. Of several HostCertificate lines for the same key the
 * last is served.
 */
const ACCUMULATING: ReadonlySet<string> = new Set([
  'acceptenv',
  'allowgroups',
  'allowusers',
  'denygroups',
  'denyusers',
  'hostcertificate',
  'hostkey',
  'include',
  'listenaddress',
  'port',
  'subsystem',
]);

/** The name in use of a keyword in any case, so that old and new names compare equal. */
export function canonicalKeyword(keyword: string): string {
  const lower = keyword.toLowerCase();
  return RENAMED[lower] ?? lower;
}

/** Whether every line of this keyword counts, not only the first. */
export function accumulates(keyword: string): boolean {
  return ACCUMULATING.has(canonicalKeyword(keyword));
}
