// Pins: hashes of the public keys of a cluster's authorities, as `tctl status` prints them.

import {createHash, type X509Certificate} from 'node:crypto';
import {Failure} from '../errors.js';

/** sha256: and the hex SHA-256 of the authority's SubjectPublicKeyInfo. */
export function pinOf(authority: X509Certificate): string {
  const spki = authority.publicKey.export({type: 'spki', format: 'der'});
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`;
}

/** A pin as a user gave it, in the spelling of `pinOf`; USAGE when it is none. */
export function readPin(text: string): string {
  const pin = text.trim().toLowerCase();
  if (/^sha256:[0-9a-f]{64}$/.test(pin)) return pin;
  throw new Failure('USAGE', `${JSON.stringify(text.slice(0, 100))} is not a pin`, {
    hint: 'a pin is sha256: and 64 hexadecimal digits; `tctl status` prints it',
  });
}

/** Fails with CLUSTER_UNTRUSTED unless every authority has a pin, when there are pins at all. */
export function checkPins(authorities: readonly X509Certificate[], pins: readonly string[]): void {
  if (pins.length === 0) return;
  const stranger = authorities.map(pinOf).find((pin) => !pins.includes(pin));
  if (stranger === undefined) return;
  throw new Failure('CLUSTER_UNTRUSTED', 'an authority of the cluster does not match --ca-pin', {
    detail: `received ${stranger}`,
    hint: 'compare with `tctl status` on the cluster; while authorities are rotated, give --ca-pin once for each',
  });
}
