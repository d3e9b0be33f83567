// What the configuration says about certificates when it is read: said before anything is tried, with the line at fault.

import {Failure} from '../errors.js';
import type {HostFacts} from '../host/facts.js';
import {unreadListening} from '../host/listening.js';
import {certificateFindings, type Finding} from '../ssh/findings.js';
import {appliesToAll, type Setting, settings, withoutOurs} from '../ssh/sshd-config/index.js';
import type {AuthorityKind} from './rehearsal.js';
import type {Scene} from './scene.js';

const KEY_TYPES: Readonly<Record<AuthorityKind, string>> = {
  ed25519: 'ssh-ed25519',
  p256: 'ecdsa-sha2-nistp256',
  rsa2048: 'ssh-rsa',
};

/** The authority whose users are to log in: the kind that a cluster of this suite has, or a line of its key. */
export type UserAuthority = {readonly kind: AuthorityKind} | {readonly line: string};

/**
 * REHEARSAL_FAILED where no certificate would ever be served or accepted. Gives warnings of what depends on the login,
 * or on what other files hold.
 */
export function judge(scene: Scene, authority: UserAuthority): readonly string[] {
  const {facts, keys, layout, foreign} = scene;
  const found = certificateFindings(facts.effective, siteSettings(facts), {
    authorityKeyType: 'kind' in authority ? KEY_TYPES[authority.kind] : (authority.line.split(' ')[0] ?? ''),
    hostKeyTypes: [...new Set(keys.map((key) => key.type))],
    // Certificates of others are told apart by their keys: the scene says which of them matters.
    ownFiles: [layout.userAuthorities, ...layout.certificates.values(), ...foreign],
  });
  const fatal = found.filter(({severity}) => severity === 'fatal');
  const [worst] = fatal;
  if (worst !== undefined) {
    const lines = fatal.flatMap(placeOf);
    throw new Failure('REHEARSAL_FAILED', worst.message, {
      ...(lines.length > 0 && {detail: lines.join('\n')}),
      hint: `${worst.hint}; nothing was changed`,
    });
  }
  return found.map((finding) => [finding.message, ...placeOf(finding), finding.hint].join('\n'));
}

/**
 * What our reload would change beside our own lines: an edit of Port or ListenAddress that sshd has not read yet.
 * HOST_UNSUITABLE where it would leave an address at which it answers now; gives a warning where it would add one.
 */
export function judgeReload({daemon, effective, config}: HostFacts): readonly string[] {
  const {closed, opened} = unreadListening(daemon, effective);
  if (closed.length > 0) {
    throw new Failure('HOST_UNSUITABLE', 'sshd has not read its configuration: a reload would move it', {
      detail: [`it listens on   ${daemon.listening.join(' ')}`, `${config} says  ${wanted(effective)}`].join(
        '\n',
      ),
      hint: 'somebody has edited Port or ListenAddress: reload sshd, see that you can still log in, then join',
    });
  }
  return opened.length === 0
    ? []
    : [`sshd will listen on ${opened.join(' ')} as well: that edit is older than this join`];
}

const wanted = (effective: HostFacts['effective']): string => effective.all('listenaddress').join(' ');

/** Lines of the configuration that sshd's reason for refusing a login speaks of. */
export function linesBehind(facts: HostFacts, reason: string): string[] {
  // Every line of sshd's log names the port of the client.
  const words = new Set(
    reason
      .toLowerCase()
      .replace(/ from \S+ port \d+/g, '')
      .match(/[a-z0-9]+/g),
  );
  return siteSettings(facts)
    .filter(({keyword}) => words.has(keyword) || UNNAMED.some((one) => isMeant(one, keyword, reason)))
    .map(lineOf);
}

/** Reasons in which sshd does not name the keyword. */
const UNNAMED = [
  {reason: /ROOT LOGIN REFUSED/, keyword: /^permitrootlogin$/},
  {reason: /does not contain an authorized principal/, keyword: /^authorizedprincipals(file|command)$/},
  {reason: /revoked/i, keyword: /^revokedkeys$/},
  {reason: /certificate signature algorithm/, keyword: /^casignaturealgorithms$/},
  {reason: /^Partial /, keyword: /^authenticationmethods$/},
  // The client's words, which name what the server would have taken.
  {
    reason: /Permission denied \((?!.*publickey)/,
    keyword: /^(authenticationmethods|pubkeyauthentication)$/,
  },
] as const;

function isMeant(one: (typeof UNNAMED)[number], keyword: string, reason: string): boolean {
  return one.reason.test(reason) && one.keyword.test(keyword);
}

function siteSettings(facts: HostFacts): Setting[] {
  return settings(withoutOurs(facts.tree), facts.dialect);
}

function placeOf({file, line, text}: Finding): string[] {
  return file === undefined ? [] : [`${file} line ${line}: ${text}`];
}

function lineOf({file, line, raw, scope}: Setting): string {
  const where = appliesToAll(scope) ? '' : ` (Match ${scope?.criteria})`;
  return `${file} line ${line}: ${raw.trim()}${where}`;
}
