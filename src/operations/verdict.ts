// What the configuration says about certificates when it is read: said before anything is tried, with the line at fault.

import {Failure} from '../errors.js';
import type {HostFacts} from '../host/facts.js';
import {unreadListening} from '../host/listening.js';
import {certificateFindings, type Finding} from '../ssh/findings.js';
import {
  accumulates,
  appliesToAll,
  canonicalKeyword,
  type EffectiveConfig,
  firstGlobal,
  type Setting,
  settings,
  withoutOurs,
} from '../ssh/sshd-config/index.js';
import type {AuthorityKind} from './rehearsal.js';
import type {Scene} from './scene.js';

const KEY_TYPES: Readonly<Record<AuthorityKind, string>> = {
  ed25519: 'ssh-ed25519',
  p256: 'ecdsa-sha2-nistp256',
  rsa2048: 'ssh-rsa',
};

/** What a client says that was not even asked for its key. */
export const NO_PUBLICKEY = /Permission denied \((?!.*publickey)/;

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

/**
 * Lines of the configuration that sshd's reason for refusing a login speaks of, the one at fault first. `effective`: what
 * sshd makes of it for this very login, by which lines that do not count for it are left out.
 */
export function settingsBehind(facts: HostFacts, reason: string, effective?: EffectiveConfig): Setting[] {
  // Every line of sshd's log names the port of the client.
  const words = new Set(
    (
      reason
        .toLowerCase()
        .replace(/ from \S+ port \d+/g, '')
        .match(/[a-z0-9]+/g) ?? []
    ).map(canonicalKeyword),
  );
  const all = [...optionSettings(facts), ...siteSettings(facts)];
  const meant = all.filter((setting) => {
    const keyword = canonicalKeyword(setting.keyword);
    return words.has(keyword) || UNNAMED.some((one) => isMeant(one, keyword, setting, reason));
  });
  // The first line counts, and a Match block that applies before it.
  const counting = meant.filter(
    (one) => one.scope !== undefined || accumulates(one.keyword) || firstGlobal(all, one.keyword) === one,
  );
  const applying = effective === undefined ? [] : counting.filter((one) => isIn(effective, one));
  return applying.length > 0 ? applying : counting;
}

/** The same for people. */
export function linesBehind(facts: HostFacts, reason: string): string[] {
  return settingsBehind(facts, reason).map(lineOf);
}

/** Whether sshd has each of these values for the keyword. */
function isIn(effective: EffectiveConfig, {keyword, args}: Setting): boolean {
  const name = [canonicalKeyword(keyword), keyword].find((one) => effective.has(one)) ?? keyword;
  const values = effective
    .all(name)
    .flatMap((value) => value.split(' '))
    .map((value) => value.toLowerCase());
  return args.every((argument) => values.includes(argument.toLowerCase()));
}

/** Reasons in which sshd does not name the keyword; `spoils`: with which of its values. */
const UNNAMED: readonly {
  readonly reason: RegExp;
  readonly keyword: RegExp;
  readonly spoils?: (args: readonly string[]) => boolean;
}[] = [
  {reason: /ROOT LOGIN REFUSED/, keyword: /^permitrootlogin$/},
  {reason: /does not contain an authorized principal/, keyword: /^authorizedprincipals(file|command)$/},
  {reason: /revoked/i, keyword: /^revokedkeys$/},
  {reason: /certificate signature algorithm/, keyword: /^casignaturealgorithms$/},
  {reason: /^Partial /, keyword: /^authenticationmethods$/},
  // The client's words, which name what the server would have taken.
  {
    reason: NO_PUBLICKEY,
    keyword: /^pubkeyauthentication$/,
    spoils: ([value]) => value?.toLowerCase() === 'no',
  },
  {
    reason: NO_PUBLICKEY,
    keyword: /^authenticationmethods$/,
    spoils: (alternatives) => !alternatives.some((methods) => /^(any|publickey\b)/.test(methods)),
  },
];

function isMeant(
  {reason: pattern, keyword: name, spoils}: (typeof UNNAMED)[number],
  keyword: string,
  {args}: Setting,
  reason: string,
): boolean {
  return pattern.test(reason) && name.test(keyword) && (spoils === undefined || spoils(args));
}

function siteSettings(facts: HostFacts): Setting[] {
  return settings(withoutOurs(facts.tree), facts.dialect);
}

/** Stands for a file: what is set there wins over every file. */
const COMMAND_LINE = "sshd's command line";

function optionSettings({daemon}: HostFacts): Setting[] {
  return daemon.options.flatMap((word) => {
    const [raw, keyword, value] = /^(\w+)[= ]+(.+)$/.exec(word) ?? [];
    if (raw === undefined || keyword === undefined || value === undefined) return [];
    return [
      {
        keyword: keyword.toLowerCase(),
        args: value.split(' '),
        raw,
        file: COMMAND_LINE,
        line: 0,
        scope: undefined,
      },
    ];
  });
}

/** " in FILE line N" */
export function whereIs({file, line}: Pick<Setting, 'file' | 'line'>): string {
  return file === COMMAND_LINE ? ` on ${file}` : ` in ${file} line ${line}`;
}

function placeOf({file, line, text}: Finding): string[] {
  return file === undefined ? [] : [`${file} line ${line}: ${text}`];
}

/** "FILE line N: TEXT (Match CRITERIA)" */
export function lineOf({file, line, raw, scope}: Setting): string {
  const where = appliesToAll(scope) ? '' : ` (Match ${scope?.criteria})`;
  return `${file === COMMAND_LINE ? file : `${file} line ${line}`}: ${raw.trim()}${where}`;
}
