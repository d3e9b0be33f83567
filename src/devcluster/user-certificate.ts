// The certificate that a proxy presents to sshd for one connection of a user: signed by the openssh authority, made
// for a key of that moment. In a real cluster only a proxy may ask for it; here tests and demos log in with it.

import {signCertificate} from '../ssh/certificate.js';
import {opensshPrivateKey, publicBlob} from '../ssh/key.js';
import type {ClusterState} from './cluster-state.js';
import {newKey, SUITES} from './keys.js';

export interface LoginRequest {
  /** Logins of the operating system: the certificate's principals. */
  readonly logins: readonly string[];
  /** Teleport user name: the certificate's key id. */
  readonly user: string;
  readonly roles: readonly string[];
  readonly ttlSeconds: number;
}

export interface LoginCertificate {
  /** OPENSSH PRIVATE KEY. */
  readonly privateKey: string;
  /** authorized_keys style line with line end. */
  readonly certificate: string;
}

/** Marks certificates that only Teleport's own services may use to join a session. */
export const INTERNAL_JOIN = '-teleport-internal-join';

export async function issueLogin(
  cluster: Pick<ClusterState, 'name' | 'suite' | 'authorities'>,
  request: LoginRequest,
): Promise<LoginCertificate> {
  const key = await newKey(SUITES[cluster.suite].user);
  const now = Math.floor(Date.now() / 1000);
  const certificate = signCertificate(
    {
      type: 'user',
      key: publicBlob(key),
      keyId: request.user,
      principals: [...request.logins, INTERNAL_JOIN],
      validAfter: BigInt(now - 60),
      validBefore: BigInt(now + request.ttlSeconds),
      extensions: {
        'disallow-reissue': '',
        'permit-agent-forwarding': '',
        ...userExtensions(cluster.name, request),
      },
    },
    cluster.authorities.openssh.active.ssh,
  );
  return {privateKey: await opensshPrivateKey(key), certificate: `${certificate}\n`};
}

/** What the SSH certificate of a user says besides its principals. */
export function userExtensions(
  cluster: string,
  {logins, roles}: Pick<LoginRequest, 'logins' | 'roles'>,
): Record<string, string> {
  return {
    'permit-port-forwarding': '',
    'permit-pty': '',
    'private-key-policy': 'none',
    'teleport-roles': JSON.stringify({roles}),
    'teleport-route-to-cluster': cluster,
    'teleport-traits': JSON.stringify(traits(logins)),
  };
}

/** Every trait is named, as in the real certificate; only the logins have values here. */
export function traits(logins: readonly string[]): Record<string, readonly string[] | null> {
  return {
    aws_role_arns: null,
    azure_identities: null,
    db_names: null,
    db_roles: null,
    db_users: null,
    gcp_service_accounts: null,
    host_user_gid: [''],
    host_user_uid: [''],
    kubernetes_groups: null,
    kubernetes_users: null,
    logins,
    windows_logins: null,
  };
}
