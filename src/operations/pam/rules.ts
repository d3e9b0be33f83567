// What PAM makes of a service: the rules of its file and of all it includes, in the order in which a login meets them.

import {basename} from 'node:path/posix';
import type {Host} from '../../host/host.js';
import {type Chain, chain, type Fault, type Includes, type Link} from '../../pam/chain.js';
import {controlText} from '../../pam/control-text.js';
import {outcomes} from '../../pam/effect.js';
import {run} from '../../pam/flow.js';
import {OUR_TYPES, type OurType} from '../../pam/own-lines.js';
import {parseStack, type Stack} from '../../pam/stack.js';
import {readIncludes, readService} from './service-files.js';

export interface PamRule {
  /** Of the service's own file, where it is included by a line of that. */
  readonly line: number;
  /** What that line includes, as written. */
  readonly from?: string;
  readonly control: string;
  /** As written; absent: a line that PAM cannot use, which always fails. */
  readonly module?: string;
  readonly args: readonly string[];
  /** A login whose modules all say yes comes by here. */
  readonly reached: boolean;
  /** It calls our script. */
  readonly ours: boolean;
}

export interface TypeRules {
  readonly rules: readonly PamRule[];
  /** Whether a login is let in, when all its modules say yes. */
  readonly passes: boolean;
  readonly faults: readonly Fault[];
}

export interface ServiceRules {
  readonly service: string;
  /** Undefined: neither it nor "other" can be read. */
  readonly file: string | undefined;
  readonly text: string;
  readonly includes: Includes;
  readonly types: Readonly<Record<OurType, TypeRules>>;
}

const FALLBACK = 'other';

/** PAM goes by "other" for a service without a file, and for a type that it has no rules of. */
export async function rulesOf(
  host: Host,
  services: string,
  service: string,
  script: string,
): Promise<ServiceRules> {
  const [own, other] = await Promise.all([
    readService(host, services, service),
    readService(host, services, FALLBACK),
  ]);
  const file = own ?? other;
  const stacks = {own: parseStack(file?.text ?? ''), other: parseStack(other?.text ?? '')};
  const includes = await readIncludes(host, services, [stacks.own, stacks.other]);
  const typed = (type: OurType): TypeRules => {
    const mine = chain(stacks.own, type, includes);
    const isEmpty = mine.links.length === 0;
    return isEmpty
      ? typeRules(chain(stacks.other, type, includes), stacks.other, script, FALLBACK)
      : typeRules(mine, stacks.own, script, own === undefined ? FALLBACK : undefined);
  };
  const [account, session] = OUR_TYPES;
  return {
    service,
    file: file?.path,
    text: file?.text ?? '',
    includes,
    types: {[account]: typed(account), [session]: typed(session)},
  };
}

function typeRules(whole: Chain, stack: Stack, script: string, elsewhere: string | undefined): TypeRules {
  const {reached, verdict} = run(whole, (_, link) => outcomes(link, ['success'])[0] ?? 'success');
  const rules = whole.links.filter(({what}) => what !== 'substack');
  return {
    rules: rules.map((link) => shown(link, stack, script, elsewhere, reached.includes(link))),
    passes: verdict === 'success',
    faults: whole.faults,
  };
}

function shown(
  {line, what, control}: Link,
  {lines}: Stack,
  script: string,
  elsewhere: string | undefined,
  reached: boolean,
): PamRule {
  const content = lines.find(({number}) => number === line)?.content;
  const from = content?.kind === 'include' ? content.service : elsewhere;
  const about = {line, ...(from !== undefined && {from}), control: controlText(control)};
  if (typeof what !== 'object') return {...about, args: [], reached: true, ours: false};
  const {module, args} = what;
  const ours = basename(module) === 'pam_exec.so' && args.includes(script);
  return {...about, module, args, reached, ours};
}
