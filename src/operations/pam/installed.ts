// What of the PAM half lies on this host, and whose it is.

import {join} from 'node:path/posix';
import type {Entry, Host} from '../../host/host.js';
import {presence} from '../../pam/own-lines.js';
import {parseStack} from '../../pam/stack.js';
import {sameState, stateOf} from '../../plan/state.js';
import {installedDirectory, OWNER_LINE} from '../layout.js';
import type {Past} from '../status/past.js';
import {PAM_PLACES, pamPaths} from './places.js';
import {rulesOf, type ServiceRules} from './rules.js';
import {scriptText} from './script.js';

/**
 * 'service': sshd asks for ours, which includes its own. 'add-on': its own includes ours. 'by hand': a rule of the site's
 * calls our script. 'left alone': a join was told so.
 */
export type Shape = 'service' | 'add-on' | 'by hand' | 'left alone' | 'not installed';

export interface InstalledFile {
  readonly file: string;
  /** 'foreign': there, and not ours. 'unknown': ours, and nobody can tell whether it was edited. */
  readonly state: 'as installed' | 'edited' | 'missing' | 'foreign' | 'unknown';
}

export interface Installed {
  readonly shape: Shape;
  readonly service: InstalledFile;
  readonly script: InstalledFile;
  readonly lines?: {readonly account: number; readonly session: number};
}

/** `rules`: what sshd comes by. */
export async function readInstalled(
  host: Host,
  past: Past,
  config: string,
  rules: ServiceRules | undefined,
): Promise<Installed> {
  const paths = pamPaths(PAM_PLACES);
  const authorities = join(installedDirectory(config), 'trusted_user_ca_keys');
  const [service, script] = await Promise.all(
    [paths.service, paths.script].map((path) => host.look(path).catch(() => undefined)),
  );
  const texts = {service: textOf(service), script: textOf(script)};
  const shape = await shapeOf(host, past, texts.service, rules);
  const found = presence(parseStack(rules?.text ?? '').lines);
  return {
    shape,
    service: {file: paths.service, state: stateOfFile(past, paths.service, service)},
    script: {
      file: paths.script,
      state: stateOfFile(past, paths.script, script, scriptText(PAM_PLACES, authorities)),
    },
    ...(found.kind === 'placed' && {
      lines: {account: found.lines.account.number, session: found.lines.session.number},
    }),
  };
}

async function shapeOf(
  host: Host,
  {settings}: Past,
  service: string | undefined,
  rules: ServiceRules | undefined,
): Promise<Shape> {
  const wanted = settings?.pam;
  if (typeof wanted === 'object') return wanted.shape;
  if (service !== undefined && isOurs(service)) return includesAnother(service) ? 'service' : 'add-on';
  if (rules !== undefined && callsScript(rules)) return 'by hand';
  // Teleport's own SSH service may be the one that asks for it.
  const {services} = PAM_PLACES;
  const own = pamPaths(PAM_PLACES);
  if (service !== undefined && callsScript(await rulesOf(host, services, own.service, own.script)))
    return 'by hand';
  return wanted === 'none' ? 'left alone' : 'not installed';
}

export function callsScript({types}: ServiceRules): boolean {
  return [types.account, types.session].some(({rules}) => rules.some(({ours}) => ours));
}

function stateOfFile(
  {record}: Past,
  path: string,
  entry: Entry | undefined,
  usual = '',
): InstalledFile['state'] {
  if (entry === undefined) return 'missing';
  const after = record?.changes.find((change) => change.path === path)?.after;
  const now = stateOf(entry);
  if (after !== undefined && after.kind !== 'absent')
    return now !== undefined && sameState(now, after) ? 'as installed' : 'edited';
  const text = textOf(entry);
  if (text === undefined || !isOurs(text)) return 'foreign';
  const usuals = (['utf8', 'latin1'] as const).map((encoding) =>
    Buffer.from(usual, encoding).toString('latin1'),
  );
  return usuals.includes(text) ? 'as installed' : 'unknown';
}

function textOf(entry: Entry | undefined): string | undefined {
  return entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : undefined;
}

function isOurs(text: string): boolean {
  return text.split('\n').slice(0, 3).includes(OWNER_LINE);
}

function includesAnother(text: string): boolean {
  return parseStack(text).lines.some(({content}) => content.kind === 'include' && content.type === 'account');
}
