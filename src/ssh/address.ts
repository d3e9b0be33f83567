// Network addresses as people write them, in the one spelling that the cluster stores and ssh clients compare.

import {domainToASCII} from 'node:url';
import {Failure} from '../errors.js';

/** Where sshd can be reached: IPv6 compressed and without brackets, names in lower case. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export type AddressKind =
  | 'loopback'
  | 'unspecified'
  | 'link-local'
  | 'container'
  | 'public'
  | 'private'
  | 'name';

/** Reads host, host:port, IPv6 or [IPv6]:port; USAGE with a hint for what the cluster would store and fail on. */
export function parseAddress(text: string, defaultPort: number): Address {
  refuseForeign(text);
  const [hostText, portText] = splitPort(text);
  const host = canonicalHost(hostText);
  if (host === undefined) throw notAHost(text);
  return {host, port: portText === undefined ? defaultPort : parsePort(portText, text)};
}

/** host:port, with brackets around IPv6. */
export function formatAddress({host, port}: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * A host in the spelling that names are compared in: IPv6 compressed and in lower case (IPv4-mapped as IPv4), names in
 * lower case. Undefined for what is neither an address nor a DNS name; brackets and ports are not part of a host.
 */
export function canonicalHost(text: string): string | undefined {
  if (text.includes(':')) return canonicalIpv6(text);
  if (/(^|\.)\d+$/.test(text)) return ipv4Number(text) === undefined ? undefined : text;
  const labels = text.toLowerCase().split('.');
  const valid = text.length <= 253 && labels.every((label) => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(label));
  return valid ? labels.join('.') : undefined;
}

/** What an address tells about who can reach it. Takes a host as parseAddress returns it. */
export function addressKind(host: string): AddressKind {
  const number = ipv4Number(host);
  if (number !== undefined) return NETWORKS.find(({test}) => test(number))?.kind ?? 'public';
  if (host.includes(':')) return ipv6Kind(host);
  return host === 'localhost' || host.endsWith('.localhost') ? 'loopback' : 'name';
}

/** First match wins. */
const NETWORKS = [
  network('unspecified', '0.0.0.0', 32),
  network('loopback', '127.0.0.0', 8),
  network('link-local', '169.254.0.0', 16),
  // The default bridges of Docker and Podman: seen from outside the machine, nobody answers there.
  network('container', '172.17.0.0', 16),
  network('container', '10.88.0.0', 16),
  network('private', '10.0.0.0', 8),
  network('private', '172.16.0.0', 12),
  network('private', '192.168.0.0', 16),
  // Carrier-grade NAT (RFC 6598), which overlay networks use too.
  network('private', '100.64.0.0', 10),
];

function network(kind: AddressKind, base: string, bits: number) {
  const size = 2 ** (32 - bits);
  const block = (number: number) => Math.floor(number / size);
  const wanted = block(ipv4Number(base) ?? 0);
  return {kind, test: (number: number) => block(number) === wanted};
}

function ipv6Kind(host: string): AddressKind {
  if (host === '::1') return 'loopback';
  if (host === '::') return 'unspecified';
  if (/^fe[89ab].:/.test(host)) return 'link-local';
  return /^f[cd]..:/.test(host) ? 'private' : 'public';
}

function ipv4Number(text: string): number | undefined {
  if (!/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) return undefined;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte < 256)
    ? bytes.reduce((number, byte) => number * 256 + byte, 0)
    : undefined;
}

// A zone names an interface of one machine, so it only makes sense with a link-local address.
function canonicalIpv6(text: string): string | undefined {
  const [, address = '', zone] = /^([0-9a-f:.]+)(%[\w.-]+)?$/i.exec(text) ?? [];
  const host = compressIpv6(address);
  if (host === undefined || zone === undefined) return host;
  return ipv6Kind(host) === 'link-local' ? host + zone : undefined;
}

function compressIpv6(text: string): string | undefined {
  const url = `http://[${text}]`;
  if (!URL.canParse(url)) return undefined;
  const host = new URL(url).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(host);
  if (mapped === null) return host;
  const halves = mapped.slice(1).map((group) => Number.parseInt(group, 16));
  return halves.flatMap((half) => [half >> 8, half & 255]).join('.');
}

function refuseForeign(text: string): void {
  const refuse = (why: string, hint: string) => {
    throw new Failure('USAGE', `the address ${JSON.stringify(text)} ${why}`, {hint});
  };
  if (text === '') throw new Failure('USAGE', 'the address is empty', {hint: SPELLINGS});
  if (text.includes('://')) refuse('is a URL', `leave out the scheme; ${SPELLINGS}`);
  if (text.includes('@')) refuse('names a user', `leave out the user; ${SPELLINGS}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\s\u0000-\u001f\u007f]/.test(text)) refuse('contains blanks', SPELLINGS);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
  if (/[^\u0000-\u007f]/.test(text)) {
    const ascii = domainToASCII(text.replace(/:\d*$/, ''));
    refuse('is not ASCII', ascii === '' ? SPELLINGS : `in DNS this name is ${ascii}`);
  }
}

const SPELLINGS = 'write web1.example.com, 10.0.0.5:22, 2001:db8::1 or [2001:db8::1]:22';

/** Host and port as text; an unbracketed text with several colons has no port. */
function splitPort(text: string): readonly [host: string, port: string | undefined] {
  const bracketed = /^\[([^[\]]*:[^[\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return [bracketed[1] ?? '', bracketed[2]];
  const colon = text.indexOf(':');
  if (colon < 0 || colon !== text.lastIndexOf(':')) return [text, undefined];
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function parsePort(text: string, address: string): number {
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65535) return port;
  throw new Failure('USAGE', `the address ${JSON.stringify(address)} has no valid port`, {
    hint: 'a port is a number from 1 to 65535; leave it out to use the port sshd listens on',
  });
}

function notAHost(text: string): Failure {
  const colons = text.split(':').length - 1;
  const hint = colons > 1 ? `put brackets around an IPv6 address that has a port; ${SPELLINGS}` : SPELLINGS;
  return new Failure('USAGE', `the address ${JSON.stringify(text)} is neither a name nor an IP address`, {
    hint,
  });
}
