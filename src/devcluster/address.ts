// Addresses as Go's net package reads them: the cluster's refusals quote its words.

import {isIP, isIPv4, isIPv6} from 'node:net';

/** 4 or 16 bytes of an IP address in any spelling. */
export function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = withoutTrailingIPv4(address).split('::');
  const left = groups(head);
  const right = groups(tail ?? '');
  const zeros = new Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0);
  const bytes = Buffer.alloc(16);
  [...left, ...zeros, ...right].forEach((group, index) => {
    bytes.writeUInt16BE(group, index * 2);
  });
  return bytes;
}

const groups = (part: string) =>
  part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));

function withoutTrailingIPv4(address: string): string {
  const [, head, dotted] = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
  if (head === undefined || dotted === undefined) return address;
  const hex = addressBytes(dotted).toString('hex');
  return `${head}${hex.slice(0, 4)}:${hex.slice(4)}`;
}

/** Host and port of `host:port`, brackets around IPv6 removed; or what Go says is wrong with it. */
export function splitHostPort(address: string): {host: string; port: string} | {problem: string} {
  const colon = address.lastIndexOf(':');
  if (colon < 0) return {problem: 'missing port in address'};
  const port = address.slice(colon + 1);
  if (!address.startsWith('[')) {
    const host = address.slice(0, colon);
    if (host.includes(':')) return {problem: 'too many colons in address'};
    return stray(address) ?? {host, port};
  }
  const end = address.indexOf(']');
  if (end < 0) return {problem: "missing ']' in address"};
  if (end + 1 === address.length) return {problem: 'missing port in address'};
  if (end + 1 !== colon) {
    return {problem: address[end + 1] === ':' ? 'too many colons in address' : 'missing port in address'};
  }
  return stray(address.slice(end + 1), address.slice(1, end)) ?? {host: address.slice(1, end), port};
}

function stray(...parts: string[]): {problem: string} | undefined {
  if (parts.some((part) => part.includes('['))) return {problem: "unexpected '[' in address"};
  if (parts.some((part) => part.includes(']'))) return {problem: "unexpected ']' in address"};
  return undefined;
}

export function joinHostPort(host: string, port: string | number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Loopback addresses and their names; the embedded cluster listens on nothing else. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true;
  if (isIP(host) === 0) return false;
  const bytes = addressBytes(host);
  if (bytes.length === 4) return bytes[0] === 127;
  return isMappedLoopback(bytes) || bytes.equals(addressBytes('::1'));
}

const isMappedLoopback = (bytes: Buffer) =>
  bytes.subarray(0, 12).equals(addressBytes('::ffff:0.0.0.0').subarray(0, 12)) && bytes[12] === 127;

/** 0.0.0.0 and :: in any spelling. */
export function isUnspecified(host: string): boolean {
  return isIP(host) !== 0 && addressBytes(host).every((byte) => byte === 0);
}

/** The peer's address as Go prints it: an IPv4 address that arrived on an IPv6 socket is plain IPv4. */
export function peerAddress(remote: string | undefined): string {
  const plain = (remote ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  return isIPv6(plain) ? (plain.split('%')[0] ?? plain) : plain;
}
