// The exec script, so that one can watch what it does: the text that is installed, but for three places. It writes down
// what it runs and with what, and keeps what it would tell syslog. Which hooks it runs, and how, stays its own affair.

import {basename} from 'node:path/posix';

export interface Watch {
  /** Files that the script appends to; no name of them needs quoting. */
  readonly records: string;
  readonly log: string;
  /** File of authorities in the place of the cluster's. */
  readonly authorities?: string;
  /** False: hooks are written down, and not run. */
  readonly run: boolean;
}

/** Undefined: the text is not that of our script any more. */
export function watchedScript(text: string, {records, log, authorities, run}: Watch): string | undefined {
  const places: [RegExp, string][] = [
    [/^run_hook\(\) \{$/gm, `${wrapper(records, log, run)}\n\nwatched_run_hook() {`],
    [/exec logger -t agentless-pam -p authpriv\.info/g, `exec cat >>${log}`],
    ...(authorities === undefined
      ? []
      : [[/^authorities=.*$/gm, `authorities=${authorities}`] as [RegExp, string]]),
  ];
  let watched = text;
  for (const [place, instead] of places) {
    if (watched.match(place)?.length !== 1) return undefined;
    watched = watched.replace(place, () => instead);
  }
  return watched;
}

/** Called with the real path of a hook and its seconds, as `run_hook` is. A record is words that each end in a zero byte. */
function wrapper(records: string, log: string, run: boolean): string {
  return `run_hook() {
  { printf '%s\\000' "$hook" "$1" && (unset LC_ALL && exec cat /proc/self/environ) && printf '\\000'; } >>${records}
  read -r watched_begun watched_rest </proc/uptime
  ${run ? 'watched_run_hook "$@"' : ':'}
  watched_status=$?
  read -r watched_ended watched_rest </proc/uptime
  { printf '%s\\000' "$watched_begun" "$watched_ended" "$watched_status" && cat ${log} && printf '\\000'; } >>${records}
  : >${log}
  return "$watched_status"
}`;
}

export interface HookRecord {
  readonly name: string;
  /** Its path in the directory of its phase. */
  readonly file: string;
  /** The file that was run. */
  readonly real: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Absent: it was cut off. */
  readonly status?: number;
  readonly seconds?: number;
  /** What syslog would have got of it. */
  readonly log: readonly string[];
}

export function readRecords(bytes: Uint8Array): readonly HookRecord[] {
  const words = Buffer.from(bytes).toString('utf8').split('\0').slice(0, -1);
  const records: HookRecord[] = [];
  for (let at = 0; at < words.length; ) {
    const [file = '', real = ''] = words.slice(at, at + 2);
    const end = words.indexOf('', at + 2);
    const [begun, ended, status, log = ''] = end < 0 ? [] : words.slice(end + 1, end + 5);
    records.push({
      name: basename(file),
      file,
      real,
      variables: variablesOf(words.slice(at + 2, end < 0 ? undefined : end)),
      ...(status !== undefined && {status: Number(status), seconds: secondsBetween(begun, ended)}),
      log: linesOf(log),
    });
    at = end < 0 ? words.length : end + 5;
  }
  return records;
}

export function linesOf(log: string): readonly string[] {
  return log.split('\n').filter((line) => line !== '');
}

function secondsBetween(begun = '', ended = ''): number {
  return Math.max(0, Math.round((Number(ended) - Number(begun)) * 100) / 100);
}

/** Without the one that a shell sets for whatever it calls. */
function variablesOf(entries: readonly string[]): Readonly<Record<string, string>> {
  const pairs = entries.map((entry) => {
    const at = entry.indexOf('=');
    return [entry.slice(0, at), entry.slice(at + 1)] as const;
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== '_').sort(([a], [b]) => (a < b ? -1 : 1)));
}
