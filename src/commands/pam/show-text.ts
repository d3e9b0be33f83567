// How the PAM half reads: one line that says how it stands, what is wrong and what to do, the facts, then what a login
// comes by: rules and hooks.

import {styleText} from 'node:util';
import {printable} from '../../operations/pam/hooks.js';
import type {PamRule} from '../../operations/pam/rules.js';
import type {PamReport} from '../../operations/pam/show.js';
import {type PamProblem, pamWordOf} from '../../operations/pam/show-problem.js';

const WORD_WIDTH = 13;
/** Of the four words; what is in brackets runs over. */
const CONTROL_WIDTH = 10;

/** Ends in a newline. Colour only where the stream is a terminal. */
export function pamText(report: PamReport, out: NodeJS.WriteStream): string {
  const {host, problems} = report;
  const blocks = [
    [`${host}  ${headline(report)}`, ...problemLines(problems, out)],
    factLines(report),
    ruleLines(report, out),
    hookLines(report, out),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

const STANDS = {
  service: 'PAM runs the hooks of this site at logins',
  'add-on': 'PAM runs the hooks of this site at logins',
  'by hand': "rules of this site's own call the script that runs its hooks",
  'left alone': 'PAM is left alone, as the join was told',
  'not installed': 'nothing of ours is installed in PAM',
} as const;

/** A hook that is left out keeps no other from running. */
function headline({shape, problems, hooks}: PamReport): string {
  const grave = problems.filter(({code}) => !['HOOK_LEFT_OUT', 'FILE_CHANGED'].includes(code));
  if (grave.length > 0) return 'PAM does not run the hooks of this site as it was installed to';
  const running = hooks.some(({hooks: found = []}) => found.some(({verdict}) => verdict === 'runs'));
  const installed = shape === 'service' || shape === 'add-on';
  return installed && !running
    ? 'PAM would run the hooks of this site at logins, and there are none'
    : STANDS[shape];
}

function problemLines(problems: readonly PamProblem[], out: NodeJS.WriteStream): string[] {
  const told = problems.map((one) => {
    const colour = one.code === 'HOOK_LEFT_OUT' ? 'yellow' : 'red';
    return `  ${styleText(colour, pamWordOf(one).padEnd(WORD_WIDTH), {stream: out})} ${one.message}`;
  });
  return [...told, ...[...new Set(problems.map(({fix}) => fix))].map((fix) => fact('repair', fix))];
}

function fact(word: string, text: string): string {
  return `  ${word.padEnd(WORD_WIDTH)} ${text}`;
}

function factLines(report: PamReport): string[] {
  const {module, notes, unseen, ready} = report;
  const off = ready.filter(({linked}) => linked.length === 0).map(({name}) => name);
  return [
    fact('sshd', sshdText(report)),
    ...installedLines(report),
    fact('module', module ?? 'there is no pam_exec.so'),
    ...(off.length > 0 ? [fact('ready', `${off.join(', ')}: off until linked into a phase`)] : []),
    ...notes.map((note) => fact('note', note)),
    ...unseen.map((what) => fact('unseen', what)),
  ];
}

function sshdText({sshd: {usePam, service, file, config}}: PamReport): string {
  if (usePam === false) return `UsePAM no in ${config}: asks PAM for nothing`;
  if (service === undefined) return 'nobody can tell which service of PAM it asks for';
  const asks = usePam === undefined ? 'would ask' : 'asks';
  return `${asks} PAM for "${service}", ${file === undefined ? 'which has no file' : file}`;
}

function installedLines({shape, settings, service, script, lines}: PamReport): string[] {
  const isThere = shape !== 'not installed' && shape !== 'left alone';
  const how =
    shape === 'service'
      ? `${service.file} includes "${settings?.base ?? 'the service of before'}"`
      : lines && `lines ${lines.account} and ${lines.session} include ${service.file}`;
  const options = settings && [
    `control ${settings.control}`,
    ...(settings.motd === undefined ? [] : [`motd ${settings.motd}`]),
    ...(settings.auth ? ["auth rules for Teleport's own service"] : []),
  ];
  return [
    ...(isThere ? [fact('shape', [shape, how, ...(options ?? [])].filter(Boolean).join('; '))] : []),
    ...(isThere || service.state !== 'missing' ? [fact('service', `${service.file}, ${service.state}`)] : []),
    ...(isThere || script.state !== 'missing' ? [fact('script', `${script.file}, ${script.state}`)] : []),
  ];
}

function ruleLines({rules, sshd: {file}}: PamReport, out: NodeJS.WriteStream): string[] {
  if (rules === undefined) return [];
  const line = (rule: PamRule) => {
    const what = [rule.module ?? 'a line that PAM cannot use', ...rule.args].join(' ');
    const from = rule.from === undefined ? '' : ` (${rule.from})`;
    const text = `${rule.control.padEnd(CONTROL_WIDTH)}  ${what}`;
    const mark = rule.ours ? '>' : ' ';
    return rule.reached
      ? `  ${mark} ${text}${dim(from, out)}`
      : `  ${mark} ${dim(`${text}${from}, passed over`, out)}`;
  };
  return [
    `What sshd runs for a login, by ${file ?? 'no file at all'}; ours marked with >`,
    '  account',
    ...rules.account.map(line),
    '  session',
    ...rules.session.map(line),
  ];
}

function hookLines({hooks, shape}: PamReport, out: NodeJS.WriteStream): string[] {
  const any = hooks.some(({hooks: found}) => found === undefined || found.length > 0);
  if (!any && (shape === 'not installed' || shape === 'left alone')) return [];
  return [
    'Hooks, in the order in which they run',
    ...hooks.flatMap(({phase, directory, hooks: found}) => {
      if (found === undefined) return [fact(phase, `${directory} can be read by root only`)];
      if (found.length === 0) return [fact(phase, 'none')];
      const width = Math.max(...found.map(({name}) => printable(name).length));
      return found.map(({name, target, real, verdict, reason}, index) => {
        const where = target === undefined ? '' : ` -> ${printable(real)}`;
        const why = verdict === 'runs' ? '' : `  ${verdict}: ${reason}`;
        const text = `${printable(name).padEnd(where === '' && why === '' ? 0 : width)}${where}${why}`;
        return fact(index === 0 ? phase : '', verdict === 'passed over' ? dim(text, out) : text);
      });
    }),
  ];
}

function dim(text: string, out: NodeJS.WriteStream): string {
  return text === '' ? '' : styleText('dim', text, {stream: out});
}
