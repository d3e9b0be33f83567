// The control of a rule: what PAM does for each result of its module. Source: _pam_parse_control in
// libpam/pam_misc.c, the four words in libpam/pam_handlers.c, the names in libpam/pam_tokens.h.

/** What a module can return, in Linux-PAM's own order. */
export const RESULTS = [
  'success',
  'open_err',
  'symbol_err',
  'service_err',
  'system_err',
  'buf_err',
  'perm_denied',
  'auth_err',
  'cred_insufficient',
  'authinfo_unavail',
  'user_unknown',
  'maxtries',
  'new_authtok_reqd',
  'acct_expired',
  'session_err',
  'cred_unavail',
  'cred_expired',
  'cred_err',
  'no_module_data',
  'conv_err',
  'authtok_err',
  'authtok_recover_err',
  'authtok_lock_busy',
  'authtok_disable_aging',
  'try_again',
  'ignore',
  'abort',
  'authtok_expired',
  'module_unknown',
  'bad_item',
  'conv_again',
  'incomplete',
] as const;

export type Result = (typeof RESULTS)[number];

const ACTIONS = ['ignore', 'ok', 'done', 'bad', 'die', 'reset'] as const;

/** A number is a jump over that many rules. */
export type Action = (typeof ACTIONS)[number] | number;

/** The action for each result. */
export type Control = Readonly<Record<Result, Action>>;

/** A control that cannot be read: PAM logs that, and takes every result for a failure. */
export interface Misread {
  readonly control: Control;
  readonly problem: string;
}

const LARGEST_JUMP = 2 ** 31 - 1;

const WORDS: ReadonlyMap<string, Control> = new Map([
  ['required', fill({success: 'ok', new_authtok_reqd: 'ok', ignore: 'ignore'}, 'bad')],
  ['requisite', fill({success: 'ok', new_authtok_reqd: 'ok', ignore: 'ignore'}, 'die')],
  ['optional', fill({success: 'ok', new_authtok_reqd: 'ok'}, 'ignore')],
  ['sufficient', fill({success: 'done', new_authtok_reqd: 'done'}, 'ignore')],
]);

/** What PAM does with a line that it cannot use. */
export const ALWAYS_BAD: Control = fill({}, 'bad');

/** Reads a control as `splitWords` gives it. The words may be in any case and in brackets, the pairs only as they are. */
export function readControl(text: string): Control | Misread {
  return WORDS.get(text.toLowerCase()) ?? readPairs(text);
}

/** Whether a control could not be read. */
export function isMisread(read: Control | Misread): read is Misread {
  return 'problem' in read;
}

// Names are found as prefixes, so that no blank is needed behind an action: `[success=1default=bad]` is sound.
const PAIR = new RegExp(
  String.raw`[ \t\n\v\f\r]*(?:(${RESULTS.join('|')}|default)[ \t\n\v\f\r]*=[ \t\n\v\f\r]*(${ACTIONS.join('|')}|[0-9]+)|$)`,
  'y',
);

/** The first `default` fills in for what has not been named so far; what is named after it still counts. */
function readPairs(text: string): Control | Misread {
  let actions: Partial<Record<Result, Action>> = {};
  for (PAIR.lastIndex = 0; PAIR.lastIndex < text.length; ) {
    const at = PAIR.lastIndex;
    const [pair, result, word] = PAIR.exec(text) ?? [];
    if (pair === undefined)
      return {control: ALWAYS_BAD, problem: `cannot read the control at "${text.slice(at)}"`};
    if (result === undefined || word === undefined) break;
    const action = readAction(word);
    if (action === undefined) return {control: ALWAYS_BAD, problem: `the control cannot jump by ${word}`};
    actions = result === 'default' ? fill(actions, action) : {...actions, [result]: action};
  }
  return fill(actions, 'bad');
}

function readAction(word: string): Action | undefined {
  const named = ACTIONS.find((action) => action === word);
  if (named !== undefined) return named;
  const jump = Number(word);
  return jump > 0 && jump <= LARGEST_JUMP ? jump : undefined;
}

function fill(actions: Partial<Record<Result, Action>>, rest: Action): Control {
  const pairs = RESULTS.map((result) => [result, actions[result] ?? rest] as const);
  return Object.fromEntries(pairs) as Record<Result, Action>;
}
