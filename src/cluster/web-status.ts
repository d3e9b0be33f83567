// What the statuses of the proxy's web API mean for a joining host.

import {Failure} from '../errors.js';
import {Passing} from './deadline.js';
import {oneLine} from './one-line.js';
import {notTeleport, type WebAnswer} from './web-connection.js';

const WEB_ADDRESS = "use the proxy's public address, the one that browsers and `tsh login` use";

/**
 * The JSON object of a 200; a Failure for everything else, Passing where the status is one that passes. `final` are
 * statuses that do not, for once.
 */
export function readAnswer(
  answer: WebAnswer,
  where: string,
  final: readonly number[] = [],
): Readonly<Record<string, unknown>> {
  const {status, body} = answer;
  const json = parseObject(body);
  if (status === 200 && json !== undefined) return json;
  refuseElsewhere(answer, where, json && errorMessage(json), final);
  if (json === undefined) {
    const what = isPage(body) ? 'a web page' : 'something that is not JSON';
    throw notTeleport(`${where} answered with ${what} (status ${status})`);
  }
  if (status === 404) throw notFound(json, where);
  throw new Refused(status, errorMessage(json));
}

/** The text of a 200, from an endpoint that answers with text, and with text when it fails; failures as above. */
export function readText(answer: WebAnswer, where: string): string {
  const {status, body} = answer;
  if (status === 200 && !isPage(body)) return body;
  const json = parseObject(body);
  const said = json ? errorMessage(json) : body;
  refuseElsewhere(answer, where, isPage(body) ? undefined : said);
  if (status === 404 && json !== undefined) throw notFound(json, where);
  if (status === 200 || isPage(body))
    throw notTeleport(`${where} answered with a web page (status ${status})`);
  throw new Refused(status, said);
}

const isPage = (body: string) => /^\s*</.test(body);

/** Another address, or another time: what has nothing to do with what was asked. */
function refuseElsewhere(
  answer: WebAnswer,
  where: string,
  message: string | undefined,
  final: readonly number[] = [],
): void {
  const {status} = answer;
  if (status >= 300 && status < 400) throw redirected(answer, where);
  const busy = final.includes(status) ? undefined : passing(status, where, message);
  if (busy) throw busy;
}

/** The cluster has understood and said no; the endpoint's own function finds the words. Does not leave this folder. */
export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function redirected({status, location}: WebAnswer, where: string): Failure {
  const to = location === undefined ? '' : ` to ${oneLine(location, 200)}`;
  // A proxy does that when the Host header is not one of its public addresses.
  return new Failure('CLUSTER_REPLY_INVALID', `${where} answered with a redirect${to} (status ${status})`, {
    hint: WEB_ADDRESS,
  });
}

function passing(status: number, where: string, message: string | undefined): Passing | undefined {
  const detail = message === undefined || message === '' ? {} : {detail: oneLine(message)};
  const passes = (code: 'CLUSTER_BUSY' | 'CLUSTER_UNREACHABLE', text: string, hint: string) =>
    new Passing(new Failure(code, text, {hint, ...detail}));
  if (status === 429) {
    return passes(
      'CLUSTER_BUSY',
      `${where} gets too many requests from this network (status 429)`,
      'try again later, or keep trying for longer: --timeout 600',
    );
  }
  if (status === 500) {
    return passes(
      'CLUSTER_BUSY',
      `${where} keeps failing (status 500)`,
      "look at the log of the cluster's auth service",
    );
  }
  if (status < 502 || status > 504) return undefined;
  const hint = "the cluster's auth service may be down; try again later";
  return passes(
    'CLUSTER_UNREACHABLE',
    `${where} does not reach the cluster behind it (status ${status})`,
    hint,
  );
}

/** A Teleport proxy tells its version even with a path that it does not know. */
function notFound(json: Readonly<Record<string, unknown>>, where: string): Failure {
  const version =
    field(json['fields'], 'proxyVersion') ?? field(field(json['error'], 'fields'), 'proxyVersion');
  const text = field(version, 'string');
  if (typeof text !== 'string') return notTeleport(`no Teleport proxy answers at ${where} (status 404)`);
  return new Failure(
    'VERSION_UNSUPPORTED',
    `the proxy at ${where} runs Teleport ${oneLine(text, 40)}, which cannot do this`,
    {
      hint: 'upgrade the cluster',
    },
  );
}

/** `{"error":{"message":…}}`; some answers have the message at the top. */
function errorMessage(json: Readonly<Record<string, unknown>>): string {
  const message = field(json['error'], 'message') ?? json['message'];
  return typeof message === 'string' ? message : '';
}

export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return Object.fromEntries(Object.entries(value));
  } catch {
    return undefined;
  }
}
