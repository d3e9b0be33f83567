// The settings that decide about certificates, one rule each.
import {allowsAny, certificateAlgorithms, signatureAlgorithms} from './algorithms.js';

/** What the cluster and the host bring along. */
export interface CertificateContext {
  /** Key type of the authority that signs users, for example ssh-ed25519. */
  readonly authorityKeyType: string;
  /** Types of the host keys that get certificates; when absent any of the usual ones will do. */
  readonly hostKeyTypes?: readonly string[];
  /** Absolute paths of the certificates and the authorities file that we install. */
  readonly ownFiles?: readonly string[];
}

export interface Rule {
  /** In lower case, the name in use. */
  readonly keyword: string;
  /** Names under which an older `sshd -T` reports it. */
  readonly oldNames?: readonly string[];
  /** Whether a value, its arguments joined by blanks, does what the message says. */
  readonly spoils: (value: string, context: CertificateContext) => boolean;
  readonly message: string;
  readonly hint: string;
}

const USUAL_TYPES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
];

/** With these nobody can ever use a certificate. */
export const FATAL_RULES: readonly Rule[] = [
  {
    keyword: 'hostkeyalgorithms',
    spoils: (value, context) => servable(value, context).length === 0,
    message: 'no client could verify this host: HostKeyAlgorithms allows no certificate type',
    hint: 'add ssh-ed25519-cert-v01@openssh.com (or the type of your host key) to that line',
  },
  {
    keyword: 'pubkeyauthentication',
    spoils: (value) => value.toLowerCase() === 'no',
    message: 'no certificate would be accepted: PubkeyAuthentication is off',
    hint: 'set PubkeyAuthentication yes; logins with certificates are a kind of it',
  },
  {
    keyword: 'pubkeyacceptedalgorithms',
    oldNames: ['pubkeyacceptedkeytypes'],
    spoils: (value) => !allowsAny(value, USUAL_TYPES.flatMap(certificateAlgorithms)),
    message: 'no certificate would be accepted: PubkeyAcceptedAlgorithms allows no certificate type',
    hint: 'add ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com to that line',
  },
  {
    keyword: 'casignaturealgorithms',
    spoils: (value, {authorityKeyType}) => !allowsAny(value, signatureAlgorithms(authorityKeyType)),
    message: "no certificate would be accepted: CASignatureAlgorithms leaves out the cluster's authority",
    hint: "add the authority's signature algorithm to that line: ssh-ed25519, ecdsa-sha2-nistp256 or rsa-sha2-512, by its key type",
  },
  {
    keyword: 'authenticationmethods',
    spoils: (value) => !alternatives(value).some((methods) => methods.includes('publickey')),
    message: 'no certificate would be accepted: AuthenticationMethods never asks for publickey',
    hint: 'add publickey to that line as a method of its own',
  },
  {
    keyword: 'denyusers',
    spoils: (value) => value.split(' ').includes('*'),
    message: 'nobody could log in: DenyUsers names everybody',
    hint: 'remove * from that line',
  },
  {
    keyword: 'denygroups',
    spoils: (value) => value.split(' ').includes('*'),
    message: 'nobody could log in: DenyGroups names every group',
    hint: 'remove * from that line',
  },
];

/** With these it depends. */
export const WARNING_RULES: readonly Rule[] = [
  {
    keyword: 'hostkeyalgorithms',
    spoils: (value, context) => {
      const kinds = servable(value, context).length;
      return kinds > 0 && kinds < (context.hostKeyTypes?.length ?? 0);
    },
    message:
      'HostKeyAlgorithms leaves out the certificate type of some host keys; those are not served as certificates',
    hint: 'add the missing -cert-v01@openssh.com types to that line',
  },
  {
    keyword: 'authorizedprincipalsfile',
    spoils: isSet,
    message: 'AuthorizedPrincipalsFile decides which certificates a login takes',
    hint: 'list the login name itself in that file for each login that the cluster may use',
  },
  {
    keyword: 'authorizedprincipalscommand',
    spoils: isSet,
    message: 'AuthorizedPrincipalsCommand decides which certificates a login takes',
    hint: 'make the command print the login name for logins that the cluster may use',
  },
  {
    keyword: 'authenticationmethods',
    spoils: (value) => {
      const withKeys = alternatives(value).filter((methods) => methods.includes('publickey'));
      return withKeys.length > 0 && withKeys.every((methods) => methods.length > 1);
    },
    message:
      'AuthenticationMethods asks for more than the certificate, and the cluster has nothing more to give',
    hint: 'add publickey alone as an alternative, in a Match block if it is for some logins only',
  },
  {
    keyword: 'permitrootlogin',
    spoils: (value) => ['no', 'forced-commands-only'].includes(value.toLowerCase()),
    message: 'root cannot log in with a certificate: PermitRootLogin forbids it',
    hint: 'set PermitRootLogin prohibit-password if root is meant to log in through the cluster',
  },
  {
    keyword: 'allowusers',
    spoils: isSet,
    message: 'AllowUsers limits who can log in',
    hint: 'list every login that the cluster may use',
  },
  {
    keyword: 'allowgroups',
    spoils: isSet,
    message: 'AllowGroups limits who can log in',
    hint: 'put every login that the cluster may use into one of these groups',
  },
  {
    keyword: 'denyusers',
    spoils: (value) => !value.split(' ').includes('*'),
    message: 'DenyUsers keeps logins out',
    hint: 'leave out logins that the cluster may use',
  },
  {
    keyword: 'denygroups',
    spoils: (value) => !value.split(' ').includes('*'),
    message: 'DenyGroups keeps logins out',
    hint: 'keep logins that the cluster may use out of these groups',
  },
  {
    keyword: 'revokedkeys',
    spoils: isSet,
    message:
      'RevokedKeys is set: if that file is missing or unreadable sshd refuses every key and certificate',
    hint: "see that the file exists and does not list the cluster's authority",
  },
];

function servable(value: string, {hostKeyTypes = USUAL_TYPES}: CertificateContext): string[] {
  return hostKeyTypes.filter((type) => allowsAny(value, certificateAlgorithms(type)));
}

function isSet(value: string): boolean {
  return value.toLowerCase() !== 'none';
}

/** The alternatives of AuthenticationMethods, each a list of methods that all have to succeed. */
function alternatives(value: string): string[][] {
  return value === 'any' ? [['publickey']] : value.split(' ').map((methods) => methods.split(','));
}
