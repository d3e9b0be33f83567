// Asks the system's libpam about service files in a folder of their own: nothing in /etc/pam.d is read.
import {spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {RESULTS, type Result} from '../../src/pam/control.js';

const SCRIPT = fileURLToPath(new URL('real-pam.py', import.meta.url));

export interface Question {
  readonly service: string;
  readonly type: 'account' | 'session';
}

export interface Answer {
  readonly verdict: Result;
  /** What pam_debug was told to return, of each rule that was called and told so. */
  readonly told: readonly string[];
}

export class RealPam {
  readonly directory = mkdtempSync(join(tmpdir(), 'pam-'));

  write(service: string, text: string): void {
    writeFileSync(join(this.directory, service), text, 'latin1');
  }

  ask(questions: readonly Question[]): Answer[] {
    const input = JSON.stringify(questions.map((question) => ({...question, directory: this.directory})));
    const {status, stdout, stderr} = spawnSync('python3', [SCRIPT], {
      input,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (status !== 0) throw new Error(`cannot ask libpam: ${stderr}`);
    const answers: {verdict: number; told: string[]}[] = JSON.parse(stdout);
    return answers.map(({verdict, told}) => ({verdict: RESULTS[verdict] ?? 'system_err', told}));
  }

  /** Why it cannot be asked here. */
  missing(): string | undefined {
    this.write('probe', 'account required pam_debug.so acct=user_unknown\n');
    this.write('outer', `@include ${this.directory}/probe\n`);
    try {
      const [plain, debian] = this.ask([
        {service: 'probe', type: 'account'},
        {service: 'outer', type: 'account'},
      ]);
      if (plain?.verdict !== 'user_unknown') return 'libpam or its pam_debug.so does not answer';
      return debian?.verdict === 'user_unknown' ? undefined : 'this libpam knows no @include';
    } catch {
      return 'python3 cannot load a libpam of 1.4 or later';
    }
  }

  remove(): void {
    rmSync(this.directory, {recursive: true});
  }
}
