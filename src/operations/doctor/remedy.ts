// What to do about a refusal, by sshd's own words. Pure.

type Remedy = (login: string, where: string) => string;

/** Texts of 7.9 to 10.x. */
const REMEDIES: readonly (readonly [RegExp, Remedy])[] = [
  [/not listed in AllowUsers/, (login, where) => `add ${login} to AllowUsers${where}`],
  [/listed in DenyUsers/, (login, where) => `take ${login} out of DenyUsers${where}`],
  [
    /groups are listed in DenyGroups|in DenyGroups/,
    (login, where) =>
      `take ${login} out of the groups that DenyGroups names${where}: sudo gpasswd --delete ${login} GROUP`,
  ],
  [
    /AllowGroups/,
    (login, where) =>
      `put ${login} into a group that AllowGroups names${where}: sudo usermod -aG GROUP ${login}`,
  ],
  [
    /ROOT LOGIN REFUSED/,
    (_, where) => `PermitRootLogin prohibit-password${where}, if root is meant to log in`,
  ],
  [
    /authorized principal/,
    (login, where) => `make AuthorizedPrincipalsFile (or the command) give ${login} for ${login}${where}`,
  ],
  [
    /signature algorithm/,
    (_, where) => `add the algorithm of the cluster's authority to CASignatureAlgorithms${where}`,
  ],
  [
    /PubkeyAccepted(Algorithms|KeyTypes)/,
    (_, where) =>
      `add ssh-ed25519-cert-v01@openssh.com and ecdsa-sha2-nistp256-cert-v01@openssh.com to PubkeyAcceptedAlgorithms${where}`,
  ],
  [
    /nvalid user/,
    (login) => `create the account beforehand, for example: sudo useradd --create-home ${login}`,
  ],
  [/evoked/, (_, where) => `see that RevokedKeys names a file that exists and can be read${where}`],
  [/account is locked/, (login) => `UsePAM yes, or: sudo usermod --password '*' ${login}`],
  [/because shell/, (login) => `give it a shell that exists: sudo chsh --shell /bin/sh ${login}`],
  [/by PAM|PAM:|pam_/, () => "look at the account lines of sshd's PAM service in /etc/pam.d"],
  [
    /^Partial |Permission denied \((?!.*publickey)/,
    (_, where) => `add publickey alone as an alternative to AuthenticationMethods${where}`,
  ],
];

/** `lines`: the lines of the configuration behind the reason, "FILE line N: TEXT". Undefined: nothing is known. */
export function remedyFor(login: string, reason: string, lines: readonly string[]): string | undefined {
  const [place] = /^\S+ line \d+/.exec(lines[0] ?? '') ?? [];
  const remedy = REMEDIES.find(([text]) => text.test(reason))?.[1];
  return remedy?.(login, place === undefined ? '' : ` in ${place}`);
}
