// What sshd's settings and the system's policy say about certificates, for everybody.

import type {Glance} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {lookBehind} from '../../host/look-behind.js';
import {certificateFindings} from '../../ssh/findings.js';
import {keyType} from '../../ssh/key.js';
import {settings, withoutOurs} from '../../ssh/sshd-config/index.js';
import type {Inspection} from '../status/inspect.js';
import {bad, type Finding, ok, skip} from './finding.js';

/** Settings under which no certificate is ever served or accepted, and those that keep some logins out. */
export function settingFindings(
  {facts}: Glance,
  {trusted, held, rivals}: Inspection,
  authority: string,
): Finding[] {
  if (facts === undefined)
    return [skip('settings', 'not known: sshd could not be asked for its configuration')];
  const own = [trusted?.file, ...held.map(({file}) => file)].filter((file) => file !== undefined);
  const found = certificateFindings(facts.effective, settings(withoutOurs(facts.tree), facts.dialect), {
    authorityKeyType: authority,
    hostKeyTypes: [...new Set(facts.hostKeys.map(({type}) => type))],
    ownFiles: [...own, ...rivals.filter(({match}) => match === undefined).map(({value}) => value)],
  })
    // These have findings of their own.
    .filter(
      ({text = '', file, line}) =>
        !/^\s*revokedkeys/i.test(text) && !rivals.some((one) => one.file === file && one.line === line),
    );
  if (found.length === 0)
    return [ok('settings', `allow certificates of hosts and users, signed by ${authority}`)];
  return found.map(({severity, message, file, line, text, hint}) =>
    bad(severity === 'fatal' ? 'fail' : 'warn', 'settings', message, {
      proof: file === undefined ? '' : `${file} line ${line}: ${text}`,
      fix: hint,
    }),
  );
}

const FIPS = '/proc/sys/crypto/fips_enabled';
const POLICIES = ['/etc/crypto-policies/state/current', '/etc/crypto-policies/config'];

/** What the system allows beneath sshd (Fedora and RHEL: crypto policies; the kernel: FIPS). */
export async function policyFinding(host: Host, types: readonly string[]): Promise<Finding> {
  const read = async (path: string) => {
    const entry = await lookBehind(host, path).catch(() => undefined);
    return entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : undefined;
  };
  const [fips, ...policies] = await Promise.all([FIPS, ...POLICIES].map(read));
  const policy = policies.find((text) => text !== undefined);
  return judgePolicy(fips, policy, types);
}

/** `types`: of host keys and authorities that are to be used. */
export function judgePolicy(
  fips: string | undefined,
  policy: string | undefined,
  types: readonly string[],
): Finding {
  const name = (policy ?? '')
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !line.startsWith('#'));
  const enforced = fips?.trim() === '1';
  const seen = [`${FIPS}: ${fips?.trim() ?? 'not there'}`, `crypto policy: ${name ?? 'none'}`].join('\n');
  const text = `${name === undefined ? 'no system-wide crypto policy' : `crypto policy ${name}`}, FIPS ${enforced ? 'on' : 'off'}`;
  const forbidden = [...new Set(types.filter((type) => type === 'ssh-ed25519'))];
  if ((!enforced && !name?.startsWith('FIPS')) || forbidden.length === 0) return ok('policy', text, seen);
  return bad(
    'warn',
    'policy',
    `${text}: FIPS allows no ed25519, and ${forbidden.join(', ')} is in use here`,
    {
      proof: seen,
      fix: 'use ecdsa host keys, and a cluster of the signature suite fips-v1',
    },
  );
}

/** Types of the host keys and of the authorities. */
export function typesInUse({facts}: Glance, {held, trusted}: Inspection): readonly string[] {
  return [
    ...(facts?.hostKeys.map(({type}) => type) ?? []),
    ...held.map(({certificate}) => keyType(certificate.authority)),
    ...(trusted?.cluster.map((line) => line.split(' ')[0] ?? '') ?? []),
  ];
}
