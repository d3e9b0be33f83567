// What --dry-run shows of a plan: a headline per step and, for text, the lines that come and go.

import type {Entry, Host} from '../host/host.js';
import {survey} from './state.js';
import {modeOfNew, type PathStep, type Step, type Target} from './step.js';

export interface StepPreview {
  readonly kind: Step['kind'];
  /** The path with what happens to it, e.g. "/etc/x (new, 0644 root:root)"; the command line of a command or check. */
  readonly headline: string;
  readonly why: string;
  /**
   * Lines of a unified diff with three lines of context, each of them a sign ("+", "-" or blank), a blank and the
   * text; a file that is new or removed has no "@@" line. Empty where there is nothing to show.
   */
  readonly lines: readonly string[];
}

const CONTEXT = 3;
const PRIVATE_KEY = /PRIVATE KEY/;

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

/** Text as people know it, UTF-8 or else Latin-1; undefined for anything with NUL bytes. */
function decode(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString('latin1');
  }
}

/** Control characters of a file must not act on the terminal, and a carriage return that changes must be seen. */
function visible(text: string): string {
  const escaped = (control: string): string => {
    if (control === '\t') return control;
    return control === '\r' ? '\\r' : `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`;
  };
  return text.replace(/\p{Cc}/gu, escaped);
}

/** A line of a patch, with a blank after its sign. "\ No newline at end of file" has one already. */
function signed(line: string): string {
  if (line.length === 1 || line.startsWith('\\')) return line;
  return `${line.charAt(0)} ${visible(line.slice(1))}`;
}

async function unified(before: string, after: string): Promise<readonly string[]> {
  const {structuredPatch} = await import('diff');
  const {hunks} = structuredPatch('', '', before, after, '', '', {context: CONTEXT});
  const lines: string[] = [];
  for (const {oldStart, oldLines, newStart, newLines, lines: body} of hunks) {
    if (before !== '' && after !== '') lines.push(`@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`);
    for (const line of body) lines.push(signed(line));
  }
  return lines;
}

function contentOf(from: Entry | Target | undefined): Uint8Array {
  return from?.kind === 'file' ? from.bytes : new Uint8Array();
}

async function linesOf({to}: PathStep, found: Entry | undefined): Promise<readonly string[]> {
  if (found?.kind === 'directory' || to?.kind === 'directory') return [];
  const [before, after] = [decode(contentOf(found)), decode(contentOf(to))];
  // A private key may also be on its way out, where no step calls it a secret.
  const secret = to?.kind === 'file' && to.secret;
  if (secret || PRIVATE_KEY.test(`${before}${after}`)) return ['  (secret: not shown)'];
  if (before === undefined || after === undefined) return ['  (binary: not shown)'];
  return (await unified(before, after)).map(withoutTail);
}

/** A certificate is a thousand characters of which nobody reads more than the first. */
function withoutTail(line: string): string {
  return line.replace(/ AAAA[\w+/]{252}[\w+/]+=*/, (key) => `${key.slice(0, 41)}…`);
}

/** "root:root": who will own what this process makes. */
async function owner(host: Host): Promise<string> {
  const [user, group] = await Promise.all([host.run(['id', '-un']), host.run(['id', '-gn'])]);
  return `${user.stdout.trim()}:${group.stdout.trim()}`;
}

function whatHappens({to}: PathStep, found: Entry | undefined, newOwner: string): string {
  const directory = (to ?? found)?.kind === 'directory' ? ' directory' : '';
  if (to === undefined) return `removed${directory}`;
  if (found === undefined) return `new${directory}, ${octal(modeOfNew(to))} ${newOwner}`;
  const before = 'mode' in found ? found.mode : undefined;
  const mode =
    to.mode === undefined || to.mode === before ? '' : `, ${octal(before ?? 0)} to ${octal(to.mode)}`;
  return `changed${directory}${mode}`;
}

/** What each step of a pruned plan would do. Reads the host and changes nothing; secrets are never shown. */
export async function describe(host: Host, steps: readonly Step[]): Promise<readonly StepPreview[]> {
  const newOwner = steps.some((step) => step.kind === 'path') ? await owner(host) : '';
  const previews: StepPreview[] = [];
  for (const step of steps) {
    const {kind, why} = step;
    if (step.kind !== 'path') {
      previews.push({kind, headline: step.argv.join(' '), why, lines: []});
      continue;
    }
    await survey(host, step.path);
    const found = await host.look(step.path);
    const headline = `${step.path} (${whatHappens(step, found, newOwner)})`;
    previews.push({kind, headline, why, lines: await linesOf(step, found)});
  }
  return previews;
}
