// The one list of rules that PAM makes of a file and all it includes, for one type. Source: _pam_parse_conf_file and
// _pam_load_conf_file in libpam/pam_handlers.c.
import {ALWAYS_BAD, type Control} from './control.js';
import {type Include, type Line, parseStack, type Rule, type Stack, type Type} from './stack.js';

/** One entry of the list. */
export interface Link {
  /** How deep in substacks it stands. */
  readonly level: number;
  /** The line of the main file that it comes from. */
  readonly line: number;
  /** A `substack` entry does nothing but begin one; a `failure` stands for a line that PAM cannot use. */
  readonly what: Rule | 'substack' | 'failure';
  readonly control: Control;
}

/** What is wrong, seen from the main file. */
export interface Fault {
  readonly line: number;
  /** In lower case, one line. */
  readonly problem: string;
}

export interface Chain {
  readonly links: readonly Link[];
  /** Everything of this type that PAM cannot use, or that could not be looked at. */
  readonly faults: readonly Fault[];
  /** PAM gives up on the file this was read from, for every type. */
  readonly rejected?: boolean;
}

/** The text of included files by the name or path the including line has for them. */
export type Includes = ReadonlyMap<string, string>;

/** Linux-PAM's PAM_SUBSTACK_MAX_LEVEL: from this depth on it includes nothing more. */
const DEEPEST = 16;

/** The place from which a file is read. */
interface Context {
  readonly type: Type;
  readonly level: number;
  /** The includes that lead here, from the main file on. */
  readonly path: readonly string[];
  /** The line of the main file; undefined while that one is read. */
  readonly line: number | undefined;
  /** True where every rule that is read is of the type in question, whatever the line begins with. */
  readonly requested: boolean;
  readonly includes: Includes;
}

/** The rules of one type, in the order in which PAM has them. */
export function chain(stack: Stack, type: Type, includes: Includes): Chain {
  const whole = read(stack, {type, level: 0, path: [], line: undefined, requested: false, includes});
  const line = whole.faults.at(-1)?.line ?? 0;
  return whole.rejected ? {...whole, links: [failure(0, line, ALWAYS_BAD)]} : whole;
}

function read(stack: Stack, context: Context): Chain {
  const parts = stack.lines.map((line) => readLine(line, context));
  return {
    links: parts.flatMap(({links}) => links),
    faults: parts.flatMap(({faults}) => faults),
    rejected: parts.some(({rejected}) => rejected),
  };
}

const NOTHING: Chain = {links: [], faults: []};

function readLine({number, content}: Line, context: Context): Chain {
  const line = context.line ?? number;
  switch (content.kind) {
    case 'blank':
    case 'comment':
      return NOTHING;
    case 'rule':
      if (content.type !== context.type) return NOTHING;
      return {links: [{level: context.level, line, what: content, control: content.control}], faults: []};
    case 'include':
      if (content.type !== undefined && content.type !== context.type) return NOTHING;
      return readIncluded(content, {...context, line});
    case 'broken': {
      const faults = [{line, problem: `${within(context)}${content.problem}`}];
      // Without a type the line counts for the type that was asked for, and in the main file for auth.
      const type = content.type ?? (context.requested ? context.type : 'auth');
      if (content.rejectsFile && !(context.requested && type !== context.type))
        return {links: [], faults, rejected: true};
      if (type !== context.type) return NOTHING;
      return {links: [failure(context.level, line, content.control)], faults};
    }
  }
}

function readIncluded({how, type, service}: Include, from: Context & {readonly line: number}): Chain {
  const {level, line} = from;
  const begin: readonly Link[] =
    how === 'substack' ? [{level, line, what: 'substack', control: ALWAYS_BAD}] : [];
  const requested = from.requested || type !== undefined;
  const inside = {...from, path: [...from.path, service], requested, level: level + begin.length};
  const {links, faults, rejected} = readService(service, from, inside);
  if (!rejected) return {links: [...begin, ...links], faults};
  // PAM knows no type to put a failure under, and gives up here as well.
  if (!requested) return {links: [], faults, rejected};
  return {links: [...begin, ...links, failure(level, line, ALWAYS_BAD)], faults};
}

function readService(service: string, from: Context & {readonly line: number}, inside: Context): Chain {
  const text = from.includes.get(service);
  const problem = whyNot(service, from);
  if (text !== undefined && problem === undefined) return read(parseStack(text), inside);
  return {links: [], faults: [{line: from.line, problem: `${within(from)}${problem}`}], rejected: true};
}

function whyNot(service: string, {path, includes}: Context): string | undefined {
  if (path.includes(service)) return `"${service}" includes itself`;
  if (path.length + 1 >= DEEPEST) return 'includes go deeper than pam follows';
  return includes.has(service) ? undefined : `includes "${service}", which cannot be read`;
}

function failure(level: number, line: number, control: Control): Link {
  return {level, line, what: 'failure', control};
}

/** Names the included file that something is wrong in. */
function within({path}: Context): string {
  const file = path.at(-1);
  return file === undefined ? '' : `in "${file}", `;
}
