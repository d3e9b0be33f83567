// The name in an address, as this machine and a host that is reached through ssh find it.

import {lookup} from 'node:dns/promises';
import type {Host} from '../host/host.js';
import {addressKind, canonicalHost, parseAddress} from '../ssh/address.js';

/** Milliseconds; a host whose name servers do not answer is not waited for. */
const PATIENCE = 3000;

/**
 * What to say about a name that the host itself finds elsewhere. Nothing where one of both does not know it, or where the
 * host calls itself by it on loopback, as Debian does.
 */
export async function resolutionWarning(host: Host, address: string): Promise<string | undefined> {
  const {host: name} = parseAddress(address, 22);
  if (host.reachedBy === undefined || addressKind(name) !== 'name') return undefined;
  const [here, there] = await Promise.all([foundHere(name), foundBy(host, name)]);
  if (here.length === 0 || there.length === 0 || here.some((one) => there.includes(one))) return undefined;
  return `${name} is ${here.join(', ')} here and ${there.join(', ')} on the host; the proxy dials what it finds itself`;
}

async function foundHere(name: string): Promise<readonly string[]> {
  const found = await lookup(name, {all: true}).catch(() => []);
  return canonical(found.map(({address}) => address));
}

/** By getent, which not every host has. */
async function foundBy(host: Host, name: string): Promise<readonly string[]> {
  const {status, stdout} = await host.run(['getent', 'ahosts', name], {timeout: PATIENCE});
  if (status !== 0) return [];
  const found = canonical(stdout.split('\n').map((line) => line.split(/\s/)[0] ?? ''));
  return found.filter((one) => !['loopback', 'link-local'].includes(addressKind(one)));
}

function canonical(addresses: readonly string[]): readonly string[] {
  return [...new Set(addresses.flatMap((one) => canonicalHost(one) ?? []))].sort();
}
