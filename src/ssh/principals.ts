// The names a host certificate has to carry: whatever name the proxy or an ssh client dials must be among them,
// exactly and without port.

import {Failure} from '../errors.js';
import {addressKind, canonicalHost, parseAddress} from './address.js';

/** A node as clients know it. */
export interface NodeNames {
  readonly nodeId: string;
  readonly cluster: string;
  readonly hostname: string;
  /** Host of the node's address, without port; absent when nobody knows it yet. */
  readonly address?: string | undefined;
  /** Further names that were asked for, as they were typed. */
  readonly extras: readonly string[];
}

export interface DialledNames {
  /** Every name that a certificate must carry. */
  readonly names: readonly string[];
  /** Those of them that Auth does not add by itself. */
  readonly additional: readonly string[];
  /** Names that were asked for and will not verify as they were typed, one line each. */
  readonly warnings: readonly string[];
}

// OpenSSH takes 256 principals; Auth adds seven.
const MAX_ADDITIONAL = 249;

const UNIVERSAL = ['localhost', '127.0.0.1', '::1'];

/** A UUID, in either case. */
export function isNodeId(text: string): boolean {
  return /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text);
}

/** The names for one node, without duplicates; USAGE when they are more than a certificate can carry. */
export function dialledNames({nodeId, cluster, hostname, address, extras}: NodeNames): DialledNames {
  const warnings: string[] = [];
  const own = [hostname, `${hostname}.${cluster}`];
  const reachable = address === undefined || addressKind(address) === 'unspecified' ? [] : [address];
  const asked = extras.flatMap((extra) => readExtra(extra, (warning) => warnings.push(warning)));
  const id = [nodeId, `${nodeId}.${cluster}`];
  const names = [...new Set([...own.flatMap(withLowerCase), ...reachable, ...id, ...asked])];

  const given = new Set([...id, ...own, ...UNIVERSAL]);
  const additional = names.filter((name) => !given.has(name));
  if (additional.length > MAX_ADDITIONAL) {
    throw new Failure('USAGE', `${additional.length} additional principals are too many`, {
      hint: `OpenSSH refuses certificates with more than 256 names, which leaves room for ${MAX_ADDITIONAL}`,
    });
  }
  return {names, additional, warnings};
}

/**
 * What is wrong with a node's name, if Auth would replace it by another one: it takes letters, digits, dots and
 * hyphens only, starting with a letter or digit, at most 256 of them.
 */
export function checkNodeName(name: string): string | undefined {
  if (/^[a-zA-Z0-9]+[a-zA-Z0-9.-]*$/.test(name) && name.length <= MAX_NAME) return undefined;
  const suggestion = name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^a-zA-Z0-9.-]/g, '-')
    .replace(/^[.-]+|[.-]+$/g, '')
    .slice(0, 64);
  const rule = name.length > MAX_NAME ? `it is longer than ${MAX_NAME} characters` : NAME_RULE;
  const instead = suggestion === '' ? '' : `; ${suggestion} would do`;
  return `the cluster would rename ${JSON.stringify(name.slice(0, 64))}: ${rule}${instead}`;
}

const MAX_NAME = 256;
const NAME_RULE = 'only letters, digits, dots and hyphens are allowed, a letter or digit first';

// ssh lowers what it dials, tsh does not.
function withLowerCase(name: string): readonly string[] {
  return [name, name.toLowerCase()];
}

/** The names to request for one that was typed; `warn` hears of it when that is not simply the same one. */
function readExtra(typed: string, warn: (text: string) => void): readonly string[] {
  const quoted = JSON.stringify(typed);
  const left = (why: string) => {
    warn(`principal ${quoted} ${why}; it is left out`);
    return [];
  };
  if (typed.trim() === '') return left('is empty');
  if (/^[\w.*?-]+$/.test(typed) && /[*?]/.test(typed)) {
    warn(`principal ${quoted} is a pattern, which clients before OpenSSH 10.3 refuse; list exact names`);
    return [typed];
  }
  const host = hostOf(typed);
  if (host === undefined) return left('is not a name that a client can dial');
  if (addressKind(host) === 'unspecified') return left('is no address that a client can dial');
  if (host === typed) return [host];
  if (host === typed.toLowerCase() && !host.includes(':')) {
    warn(`principal ${quoted} has capitals, which ssh lowers before it compares; ${host} is added`);
    return [typed, host];
  }
  warn(`principal ${quoted} is compared as ${host}, so that is requested`);
  return [host];
}

function hostOf(typed: string): string | undefined {
  try {
    return canonicalHost(typed) ?? parseAddress(typed, 22).host;
  } catch {
    return undefined;
  }
}
