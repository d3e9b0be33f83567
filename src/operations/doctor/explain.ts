// What people see when a login through the cluster fails, and what it means. The texts of Teleport 18 were collected from
// a running cluster (client-side reference B.6, rotation reference A.2 and A.5), those of OpenSSH from 7.9 to 10.x. Pure.

export interface Explanation {
  /** Where the fault is: on this host, in its record in the cluster, in a proxy, or with the user. */
  readonly where:
    | 'host certificate'
    | 'user CA'
    | 'sshd'
    | 'node'
    | 'proxy'
    | 'user'
    | 'identity'
    | 'network';
  readonly meaning: string;
  readonly fix: string;
  /** The words that were recognised. */
  readonly seen: string;
}

type Rule = Omit<Explanation, 'seen'> & {readonly text: RegExp};

const RENEW = 'sudo agentless renew on this host';

/** The more particular first: of those about one fault, the first that matches counts. */
const RULES: readonly Rule[] = [
  {
    text: /no authorities for hostname: \S+@default@\S+|access denied to \S+ connecting to \S+:\d+/,
    where: 'proxy',
    meaning:
      "a proxy still shows the forwarding certificate that it made for this host before a rotation and keeps for a day (or the user's identity file is older than the rotation); the host's own certificate is not what was refused",
    fix: 'nothing to fix on this host: restart the proxies (or wait a day), and make identity files anew',
  },
  {
    text: /no authorities for hostname: [^@\s)]+([\s)]|$)/,
    where: 'host certificate',
    meaning: 'the certificate that sshd shows is signed by a key that the cluster has retired in a rotation',
    fix: `${RENEW}; if the cluster no longer accepts its identity, join again with a token`,
  },
  {
    text: /principal "?[^"\n]*"? not in the set of valid principals/,
    where: 'host certificate',
    meaning: 'the certificate that sshd shows does not carry the name or address that was dialled',
    fix: 'dial a name that it carries, or add one: sudo agentless join openssh --additional-principals NAME',
  },
  {
    text: /Certificate invalid: name is not a listed principal/,
    where: 'host certificate',
    meaning: 'the ssh client dialled a name that is not in the certificate that sshd shows',
    fix: 'dial a name that it carries, or add one: sudo agentless join openssh --additional-principals NAME',
  },
  {
    text: /Certificate invalid: (expired|not yet valid)/,
    where: 'host certificate',
    meaning: 'the certificate that sshd shows is not valid at this time, by the clock of the client',
    fix: `compare the clocks; then ${RENEW}`,
  },
  {
    text: /remote host presented a public key, expected a host certificate|expected a host certificate/,
    where: 'host certificate',
    meaning: 'sshd shows a plain host key: it does not serve the certificate, or was never told of it',
    fix: 'sudo agentless status on this host names the missing line; sudo agentless renew --repair puts it back',
  },
  {
    text: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|authenticity of host .* can't be established/,
    where: 'host certificate',
    meaning:
      "the ssh client does not trust what sshd shows: the cluster's host authority is missing from its known_hosts, or sshd shows a plain key",
    fix: "give the client the cluster's @cert-authority line (tsh config, or tctl auth export --type=host); on this host: sudo agentless status",
  },
  {
    text: /unable to authenticate, attempted methods \[none publickey\]|unexpected packet in response to channel open/,
    where: 'user CA',
    meaning:
      "the proxy reached sshd, and sshd refused its certificate: TrustedUserCAKeys does not hold the key that the cluster signs with now (the user CA instead of the openssh CA is the classic mistake), or sshd's rules refuse the login",
    fix: 'sudo agentless doctor --login LOGIN on this host tells which of the two',
  },
  {
    text: /is not listed in \S+|user_cert_trusted_ca/,
    where: 'user CA',
    meaning:
      'sshd does not trust the authority that signed the certificate: it is not in the file named there',
    fix: `${RENEW}; the keys must be those of tctl auth export --type=openssh`,
  },
  {
    text: /not allowed because (not )?listed in (Allow|Deny)Users|not allowed because .*(Allow|Deny)Groups/,
    where: 'sshd',
    meaning: 'AllowUsers, DenyUsers, AllowGroups or DenyGroups in sshd_config keep this login out',
    fix: 'sudo agentless doctor --login LOGIN names the line',
  },
  {
    text: /ROOT LOGIN REFUSED/,
    where: 'sshd',
    meaning: 'PermitRootLogin forbids root to log in',
    fix: 'PermitRootLogin prohibit-password, if root is meant to log in through the cluster',
  },
  {
    text: /does not contain an authorized principal/,
    where: 'sshd',
    meaning:
      'AuthorizedPrincipalsFile or AuthorizedPrincipalsCommand does not list the login name for this login',
    fix: 'list the login name itself there; sudo agentless doctor --login LOGIN names the line',
  },
  {
    text: /not in PubkeyAccepted(Algorithms|KeyTypes)/,
    where: 'sshd',
    meaning:
      "PubkeyAcceptedAlgorithms leaves out the kind of certificate that the cluster's proxies come with",
    fix: 'add ssh-ed25519-cert-v01@openssh.com and ecdsa-sha2-nistp256-cert-v01@openssh.com to that line; sudo agentless doctor --login LOGIN names it',
  },
  {
    text: /certificate signature algorithm .*not (supported|in)/,
    where: 'sshd',
    meaning: "CASignatureAlgorithms leaves out the kind of key that the cluster's authority has",
    fix: 'add its algorithm to that line: ssh-ed25519, ecdsa-sha2-nistp256 or rsa-sha2-512',
  },
  {
    text: /Invalid user \S+/,
    where: 'sshd',
    meaning: 'there is no such account on the host; stock sshd cannot make one at the first login',
    fix: 'create the account beforehand',
  },
  {
    text: /maximum authentication attempts|PerSourcePenalties|drop connection .* penalty|Not allowed at this time/,
    where: 'sshd',
    meaning:
      'sshd turns away the address of the proxy for a while, after failed logins of whoever comes through it',
    fix: 'PerSourcePenaltyExemptList with the addresses of the proxies',
  },
  {
    text: /certificate (revoked|is revoked)|Error checking authentication key .*RevokedKeys|revoked keys file/i,
    where: 'sshd',
    meaning:
      'RevokedKeys names a file that lists the key, or that cannot be read: then sshd refuses every key',
    fix: 'see that the file exists and can be read; sudo agentless doctor tests it',
  },
  {
    text: /Too many authentication failures/,
    where: 'user',
    meaning: 'the client offered other keys first, and sshd had enough before it came to the certificate',
    fix: 'IdentitiesOnly yes in the client configuration',
  },
  {
    text: /looking up remote cluster "[^"\n]*"/,
    where: 'user',
    meaning:
      'the cluster that was named in the target is not known to this one: it is neither this one nor a leaf of it',
    fix: 'tsh clusters shows the clusters there are; a host of this cluster needs no name of one',
  },
  {
    text: /direct dialing to nodes not found in inventory|failed to dial target host(?![\s\S]*(connection refused|i\/o timeout|no route|looking up remote cluster))/,
    where: 'node',
    meaning: 'the cluster has no node with that name and port',
    fix: 'tctl nodes ls shows the names there are; sudo agentless join openssh on this host registers it again',
  },
  {
    text: /ambiguous host could match multiple nodes|err-node-is-ambiguous/,
    where: 'node',
    meaning:
      'two node records have that name or address, as when a host was rebuilt and its old record stayed',
    fix: 'sudo agentless doctor names the other record; remove it with tctl rm node/ID',
  },
  {
    text: /direct dialing[\s\S]*connection refused|failed to connect to "node"[\s\S]*connection refused/,
    where: 'network',
    meaning:
      "the proxy dialled the registered address and nobody answered there: sshd is down, or the address or port is not sshd's",
    fix: 'sudo agentless doctor tests sshd and the address; there is no agent involved, whatever the text says',
  },
  {
    text: /i\/o timeout|no route to host|dial tcp .* timed? ?out/,
    where: 'network',
    meaning:
      'the proxy cannot reach the registered address: a firewall, or an address that only this host knows',
    fix: 'let the proxies reach it, or register another one: sudo agentless join openssh --address HOST:PORT',
  },
  {
    text: /alert[_ ]certificate[_ ]expired|alert number 45\b|tls: expired certificate/i,
    where: 'identity',
    meaning: "the certificate that was shown to the cluster has expired: the user's own, or this node's",
    fix: 'for a user: tsh login, or make the identity file anew; on this host: sudo agentless status tells until when its identity holds, and whether its clock is right',
  },
  {
    text: /alert[_ ]certificate[_ ]required|alert number 116\b|tls: certificate required/i,
    where: 'identity',
    meaning: 'no certificate was shown to the cluster, and it lets nobody in without one',
    fix: 'for a user: tsh login, or name the identity file; in a ProxyCommand: see that it can read the identity',
  },
  {
    text: /alert[_ ]unknown[_ ]ca|alert number 48\b|tls: unknown certificate authority|no longer accepts this identity|certificate signed by unknown authority/i,
    where: 'identity',
    meaning:
      "an identity is of before a rotation of the host authority: this node's own, or the user's identity file",
    fix: 'on this host: join again with a token; for an identity file: make it anew',
  },
  {
    text: /Permission denied \(publickey\)/,
    where: 'user',
    meaning:
      "through the proxy: the user's role does not allow this login or this host (labels, MFA for sessions), which the text does not say; straight to sshd: sshd refused the certificate",
    fix: 'look at the logins and node_labels of the role, and at the log of the proxy; sudo agentless doctor --login LOGIN tests sshd',
  },
  {
    text: /bad ext data/,
    where: 'user',
    meaning: "the user's role forbids port forwarding",
    fix: 'port_forwarding in the role',
  },
  {
    text: /invalid hostport/,
    where: 'user',
    meaning: 'the target was named without a port',
    fix: 'NAME:0 lets the cluster choose the port of the record',
  },
  {
    text: /connection refused/i,
    where: 'network',
    meaning: 'nobody answers at that address and port',
    fix: 'see whether sshd runs and where it listens: sudo agentless doctor',
  },
];

/** Empty when nothing in the text is known. Of several rules about the same place, the first is kept. */
export function explain(text: string): readonly Explanation[] {
  const found: Explanation[] = [];
  for (const {text: pattern, ...rule} of RULES) {
    const seen = pattern.exec(text)?.[0];
    if (seen === undefined || found.some(({where}) => where === rule.where)) continue;
    found.push({...rule, seen: seen.replace(/\s+/g, ' ').trim()});
  }
  return found;
}
