// What a join reports: the `result` of its JSON envelope.

import {parseCertificate} from '../ssh/certificate.js';
import {fingerprint, parsePublicKey} from '../ssh/key.js';
import type {Adopted} from './adopt/report.js';
import type {Credentials} from './credentials.js';
import {shortType} from './rehearsal.js';
import type {Scene} from './scene.js';
import type {JoinSettings} from './settings.js';
import type {UserAuthorities} from './user-authorities.js';

export interface Joined {
  readonly changed: boolean;
  readonly cluster: string;
  readonly proxy: string;
  readonly node: {
    readonly id: string;
    readonly hostname: string;
    readonly address: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly registered: boolean;
  };
  /** Whether this host keeps a credential of its own. */
  readonly identity: 'kept' | 'discarded';
  readonly names: readonly string[];
  readonly certificates: readonly {
    readonly type: string;
    readonly key: string;
    readonly file: string;
    readonly signer: string;
  }[];
  readonly userAuthorities: {
    readonly file: string;
    readonly cluster: readonly string[];
    readonly own: number;
  };
  readonly config: string;
  /** Only where an earlier join by others was taken over. */
  readonly adopted?: Adopted;
  /** Only in a dry run: what would be written and run, for people. */
  readonly preview?: string;
}

export function joined(
  changed: boolean,
  settings: JoinSettings,
  scene: Scene,
  credentials: Pick<Credentials, 'certificates' | 'userAuthorities'>,
  authorities: UserAuthorities,
): Joined {
  return {
    changed,
    cluster: settings.cluster,
    proxy: settings.proxy,
    node: {
      id: settings.nodeId,
      hostname: settings.hostname,
      address: settings.address,
      labels: settings.labels,
      registered: settings.registered,
    },
    identity: settings.identity ?? 'kept',
    names: scene.names,
    certificates: [...credentials.certificates].map(([key, line]) => {
      const certificate = parseCertificate(line);
      return {
        type: shortType(certificate.keyType),
        key,
        file: scene.layout.certificates.get(key) ?? '',
        signer: fingerprint(certificate.authority),
      };
    }),
    userAuthorities: {
      file: scene.layout.userAuthorities,
      cluster: credentials.userAuthorities.map((line) => fingerprint(parsePublicKey(line).blob)),
      own: authorities.own,
    },
    config: scene.placement.path,
  };
}
