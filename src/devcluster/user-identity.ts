// The identity of a person or a bot, as `tctl auth sign --format=file` writes it: one key, an SSH and a TLS certificate
// of the user authority for it, and the host authorities. Layout, names and order as measured on 18.0.0.

import {createPublicKey, randomUUID} from 'node:crypto';
import {Failure} from '../errors.js';
import {signCertificate} from '../ssh/certificate.js';
import {publicBlob} from '../ssh/key.js';
import {type Authorities, sshPublicKeys, tlsCertificates, tlsIssuer} from './authority.js';
import type {ClusterState} from './cluster-state.js';
import {newKey, SUITES} from './keys.js';
import {SYSTEM_ROLES} from './tokens.js';
import {INTERNAL_JOIN, traits, userExtensions} from './user-certificate.js';
import {issueLeaf, type Name} from './x509.js';

export interface IdentityRequest {
  readonly user: string;
  readonly roles: readonly string[];
  /** Negative: expired already. */
  readonly ttlSeconds: number;
  /** Logins of the operating system; none when absent. */
  readonly logins?: readonly string[];
  /** True: as `tsh login` makes it, for a person, of whom a second factor may be asked. Otherwise Auth's host has signed it. */
  readonly bySelf?: boolean;
}

const BACKDATING = 60;

/** The text of an identity file. */
export async function issueIdentity(
  {suite, hostId, name}: Pick<ClusterState, 'suite' | 'hostId' | 'name'>,
  {host, user: authority}: Authorities,
  request: IdentityRequest,
): Promise<string> {
  check(request);
  const key = await newKey(SUITES[suite].identity);
  const {logins = []} = request;
  // Whoever has no login gets one that nobody has.
  const principals = [
    ...(logins.length === 0 ? [`-teleport-nologin-${randomUUID()}`] : logins),
    INTERNAL_JOIN,
  ];
  const impersonator = request.bySelf === true ? undefined : `${hostId}.${name}`;
  const now = Date.now();
  const validFrom = Math.min(now, now + request.ttlSeconds * 1000) - BACKDATING * 1000;
  const validTo = now + request.ttlSeconds * 1000;
  const ssh = signCertificate(
    {
      type: 'user',
      key: publicBlob(key),
      keyId: request.user,
      principals,
      validAfter: seconds(validFrom),
      validBefore: seconds(validTo),
      extensions: {
        ...(impersonator !== undefined && {impersonator}),
        ...userExtensions(name, {logins, roles: request.roles}),
      },
    },
    authority.active.ssh,
  );
  const madeBy: Name = impersonator === undefined ? [] : [['impersonator', impersonator]];
  const tls = issueLeaf(tlsIssuer(authority), {
    subject: [
      ['locality', principals],
      ['street', name],
      ['postalCode', JSON.stringify(traits(logins))],
      ['organization', request.roles],
      ['commonName', request.user],
      ['teleportCluster', name],
      ...madeBy,
      ['userType', 'local'],
      ['privateKeyPolicy', 'none'],
    ],
    publicKey: createPublicKey(key),
    names: [],
    validFrom: new Date(validFrom),
    validTo: new Date(validTo),
  });
  const known = sshPublicKeys(host).map((line) => `@cert-authority ${name},*.${name} ${line} type=host\n`);
  const pkcs8 = key.export({type: 'pkcs8', format: 'pem'}).toString();
  return [pkcs8, `${ssh}\n`, tls, ...known, ...tlsCertificates(host)].join('');
}

const seconds = (milliseconds: number) => BigInt(Math.floor(milliseconds / 1000));

/** What makes a caller a host must not stand in the identity of a person. */
function check({user, roles}: IdentityRequest): void {
  const system = roles.find((role) => SYSTEM_ROLES.has(role));
  if (user === '' || roles.length === 0) throw new Failure('USAGE', 'an identity needs a user and a role');
  if (system !== undefined) throw new Failure('USAGE', `${system} is a role of hosts, not of people`);
}
