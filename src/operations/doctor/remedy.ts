// What to do about a refusal, by sshd's own words and the line behind them. Pure.

import {canonicalKeyword, type Setting} from '../../ssh/sshd-config/index.js';
import {NO_PUBLICKEY, whereIs} from '../verdict.js';

/** What a remedy can name. */
interface Fault {
  readonly login: string;
  /** " in FILE line N", or nothing. */
  readonly where: string;
  /** The keyword as it stands in that line. */
  readonly keyword?: string;
  /** sshd's words, as far as the pattern picks them out. */
  readonly words: readonly (string | undefined)[];
}

type Remedy = (fault: Fault) => string;

/** Texts of 7.9 to 10.x. */
const REMEDIES: readonly (readonly [RegExp, Remedy])[] = [
  [/not listed in AllowUsers/, ({login, where}) => `add ${login} to AllowUsers${where}`],
  [/listed in DenyUsers/, ({login, where}) => `take ${login} out of DenyUsers${where}`],
  [
    /groups are listed in DenyGroups|in DenyGroups/,
    ({login, where}) =>
      `take ${login} out of the groups that DenyGroups names${where}: sudo gpasswd --delete ${login} GROUP`,
  ],
  [
    /AllowGroups/,
    ({login, where}) =>
      `put ${login} into a group that AllowGroups names${where}: sudo usermod -aG GROUP ${login}`,
  ],
  [
    /ROOT LOGIN REFUSED/,
    ({where}) => `PermitRootLogin prohibit-password${where}, if root is meant to log in`,
  ],
  [
    /authorized principal/,
    ({login, where}) => `make AuthorizedPrincipalsFile (or the command) give ${login} for ${login}${where}`,
  ],
  // The algorithm by which the user signs, which some call a signature algorithm as well.
  [
    /(PubkeyAccepted(?:Algorithms|KeyTypes))/,
    ({where, keyword, words: [named]}) =>
      `add ssh-ed25519-cert-v01@openssh.com and ecdsa-sha2-nistp256-cert-v01@openssh.com to ${keyword ?? named}${where}`,
  ],
  [
    /certificate signature algorithm (\S+?):/,
    ({where, words: [algorithm]}) => `add ${algorithm} to CASignatureAlgorithms${where}`,
  ],
  // From 10.x on it is not named.
  [
    /not in CASignatureAlgorithm/,
    ({where}) =>
      `add the algorithm of the cluster's authority to CASignatureAlgorithms${where}: ssh-ed25519, ecdsa-sha2-nistp256 or rsa-sha2-512`,
  ],
  [
    /nvalid user/,
    ({login}) => `create the account beforehand, for example: sudo useradd --create-home ${login}`,
  ],
  [/evoked/, ({where}) => `see that RevokedKeys names a file that exists and can be read${where}`],
  [/account is locked/, ({login}) => `UsePAM yes, or: sudo usermod --password '*' ${login}`],
  [/because shell/, ({login}) => `give it a shell that exists: sudo chsh --shell /bin/sh ${login}`],
  [/by PAM|PAM:|pam_/, () => "look at the account lines of sshd's PAM service in /etc/pam.d"],
  [/^Partial /, methods],
  [
    NO_PUBLICKEY,
    (fault) =>
      fault.keyword !== undefined && canonicalKeyword(fault.keyword) === 'pubkeyauthentication'
        ? `set PubkeyAuthentication yes${fault.where}; logins with certificates are a kind of it`
        : methods(fault),
  ],
];

function methods({where}: Fault): string {
  return `add publickey alone as an alternative to AuthenticationMethods${where}`;
}

/** `behind`: the settings behind the reason, the one at fault first. Undefined: nothing is known. */
export function remedyFor(
  login: string,
  reason: string,
  [first]: readonly Pick<Setting, 'file' | 'line' | 'raw'>[],
): string | undefined {
  for (const [pattern, remedy] of REMEDIES) {
    const [found, ...words] = pattern.exec(reason) ?? [];
    if (found === undefined) continue;
    const keyword = /^\s*"?(\w+)/.exec(first?.raw ?? '')?.[1];
    const where = first === undefined ? '' : whereIs(first);
    return remedy({login, where, words, ...(keyword !== undefined && {keyword})});
  }
  return undefined;
}
