// What a status says: the `result` of its JSON envelope.

import type {Glance} from '../../host/glance.js';
import {sameBytes} from '../../ssh/wire.js';
import type {TimerReport} from '../timer/describe.js';
import {fingerprintOf} from './authorities.js';
import {describeHeld} from './certificates.js';
import type {Inspection} from './inspect.js';
import type {Online} from './online.js';
import type {Past} from './past.js';
import type {Problem} from './problem.js';
import type {Rival} from './rivals.js';

export interface Status {
  readonly host: string;
  /** 'unknown': this user may not look, or what is there cannot be understood. */
  readonly state: Past['state'];
  readonly cluster?: string;
  readonly proxy?: string;
  /** ISO 8601. */
  readonly since?: string;
  readonly node?: {
    readonly id: string;
    readonly hostname: string;
    readonly address: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly registered: boolean;
  };
  /** Names that somebody may dial; without a record those that the certificates have. */
  readonly names: readonly string[];
  readonly certificates: readonly ReturnType<typeof describeHeld>[];
  readonly userAuthorities?: {
    readonly file: string;
    /** SHA256:… */
    readonly cluster: readonly string[];
    readonly own: readonly string[];
  };
  readonly identity?: {readonly validAfter: string; readonly validBefore: string};
  readonly sshd: SshdReport;
  readonly rivals: readonly Rival[];
  /** What calls `renew` by the clock. */
  readonly timer?: TimerReport;
  readonly online?: Online;
  /** What this user could not see, and why. */
  readonly unseen: readonly string[];
  /** In the order of what weighs most; empty: all is well. */
  readonly problems: readonly Problem[];
}

export interface SshdReport {
  readonly config: string;
  readonly version?: string;
  readonly state?: 'running' | 'socket' | 'stopped';
  readonly pid?: number;
  /** Service or socket unit. */
  readonly unit?: string;
  readonly port?: number;
  /** What `sshd -T` says with the daemon's own options. */
  readonly effective?: {
    readonly hostCertificates: readonly string[];
    readonly trustedUserCaKeys?: string;
  };
  /** Whether the running daemon shows the certificate that was made last. */
  readonly served?: boolean;
}

export interface Findings {
  readonly host: string;
  readonly past: Past;
  readonly sight: Glance;
  readonly inspection: Inspection;
  readonly timer?: TimerReport;
  readonly online?: Online;
  readonly unseen: readonly string[];
  readonly problems: readonly Problem[];
}

export function reportOf(findings: Findings): Status {
  const {host, past, sight, inspection, timer, online, unseen, problems} = findings;
  const {held, trusted, names, rivals} = inspection;
  const keyOf = (blob: Uint8Array) => sight.facts?.hostKeys.find((key) => sameBytes(key.blob, blob))?.file;
  return {
    host,
    state: past.state,
    ...joinedAs(past),
    names,
    certificates: held.map((one) => describeHeld(one, keyOf(one.certificate.key))),
    ...(trusted && {
      userAuthorities: {
        file: trusted.file,
        cluster: trusted.cluster.map(fingerprintOf),
        own: trusted.own.map(fingerprintOf),
      },
    }),
    sshd: sshdReport(sight, inspection),
    rivals,
    ...(timer && {timer}),
    ...(online && {online}),
    unseen,
    problems,
  };
}

function joinedAs({settings, record, identity}: Past): Partial<Status> {
  if (settings === undefined || record === undefined) return {};
  const {cluster, proxy, nodeId: id, hostname, address, labels, registered} = settings;
  return {
    cluster,
    proxy,
    since: record.since,
    node: {id, hostname, address, labels, registered},
    ...(identity && {
      identity: {
        validAfter: identity.validAfter.toISOString(),
        validBefore: identity.validBefore.toISOString(),
      },
    }),
  };
}

function sshdReport({config, daemon, version, facts}: Glance, {served}: Inspection): SshdReport {
  const unit = daemon?.process?.unit ?? daemon?.socket;
  const trusted = facts?.effective.one('trustedusercakeys');
  return {
    config,
    ...(version && {version: version.join('.')}),
    ...(daemon && {state: daemon.state}),
    ...(daemon?.process && {pid: daemon.process.pid}),
    ...(unit !== undefined && {unit}),
    ...(facts && {
      port: facts.port,
      effective: {
        hostCertificates: facts.effective.all('hostcertificate').filter((path) => path !== 'none'),
        ...(trusted !== undefined && trusted !== 'none' && {trustedUserCaKeys: trusted}),
      },
    }),
    ...(served !== undefined && {served}),
  };
}
