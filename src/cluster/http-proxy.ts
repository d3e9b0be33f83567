// Which HTTP proxy stands between this host and an address, by the environment variables that Go programs, curl and
// others follow (the rules are those of Go's httpproxy package, which Teleport's own agent uses).

import {BlockList, isIP} from 'node:net';
import {Failure} from '../errors.js';
import type {Address} from '../ssh/address.js';

/** Environment variables by name; only HTTPS_PROXY, NO_PROXY and their lower-case forms are looked at. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

export interface HttpProxy extends Address {
  readonly tls: boolean;
  /** Value of the Proxy-Authorization header. A secret. */
  readonly authorization: string | undefined;
}

/** The proxy for a TLS connection to that address; undefined: connect directly. USAGE for a value that is no URL. */
export function httpProxyFor(target: Address, env: ProxyEnvironment): HttpProxy | undefined {
  const value = env['HTTPS_PROXY'] || env['https_proxy'];
  if (value === undefined || value === '') return undefined;
  const excluded = env['NO_PROXY'] || env['no_proxy'] || '';
  return isLoopback(target.host) || isExcluded(target, excluded) ? undefined : readProxy(value);
}

const DEFAULT_PORT: Readonly<Record<string, number>> = {'http:': 80, 'https:': 443};

/** The value may hold a password, so no error shows it. */
function readProxy(value: string): HttpProxy {
  const text = value.includes('://') ? value : `http://${value}`;
  if (!URL.canParse(text)) throw notUsable('is not a URL');
  const url = new URL(text);
  const port = DEFAULT_PORT[url.protocol];
  if (port === undefined)
    throw notUsable(`has the scheme ${url.protocol.slice(0, -1)}, which is not supported`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? port : Number(url.port),
    tls: url.protocol === 'https:',
    authorization: url.username === '' && url.password === '' ? undefined : basic(url),
  };
}

function basic(url: URL): string {
  try {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return `Basic ${Buffer.from(pair).toString('base64')}`;
  } catch {
    throw notUsable('has a user or password that is not properly percent-encoded');
  }
}

function notUsable(why: string): Failure {
  return new Failure('USAGE', `the value of HTTPS_PROXY ${why}`, {
    hint: 'write http://proxy.example.com:3128 or http://user:password@proxy.example.com:3128',
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isExcluded(target: Address, list: string): boolean {
  const entries = list.split(/[\s,]+/).filter((entry) => entry !== '');
  return entries.some((entry) => entry === '*' || matches(target, entry.toLowerCase()));
}

/** An entry is an address, a network, or a domain (with its subdomains; a leading dot: those only), perhaps with a port. */
function matches({host, port}: Address, entry: string): boolean {
  if (entry.includes('/')) return isInNetwork(host, entry);
  const [, bracketed, plain = entry, entryPort] = /^(?:\[(.+)\]|([^:]*)):(\d+)$/.exec(entry) ?? [];
  if (entryPort !== undefined && Number(entryPort) !== port) return false;
  const name = (bracketed ?? plain).replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 || isIP(name) !== 0) return host === name;
  const domain = name.replace(/^\*?\./, '');
  return host.endsWith(`.${domain}`) || (domain === name && host === domain);
}

function isInNetwork(host: string, entry: string): boolean {
  const [network = '', bits = ''] = entry.split('/');
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits)) return false;
  const type = family === 6 ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  if (Number(bits) > (family === 6 ? 128 : 32)) return false;
  list.addSubnet(network, Number(bits), type);
  return list.check(host, type);
}
