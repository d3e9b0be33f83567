// Whatever bytes there are in arguments, names and contents: they arrive as they are, by every kind of remote shell.

import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import fc from 'fast-check';
import {RemoteHost} from '../../src/host/remote/remote-host.js';
import {temporaryName} from '../../src/host/temporary.js';
import {type RemoteTarget, startTarget} from '../support/remote-target.js';
import {skip} from '../support/skip.js';
import {temporaryTree} from '../support/tree.js';

/** Pieces that mean something to a shell, to printf, to sed or to the protocol. */
const PIECES = [
  "'",
  '"',
  '\\',
  '\n',
  '\r\n',
  '\t',
  ' ',
  '$(touch /tmp/agentless-hostile)',
  '`touch /tmp/agentless-hostile`',
  '$\x7bn}',
  '$n',
  '$@',
  '%s%n%%',
  '%b',
  '\\n\\0101\\c',
  '\\',
  '-e',
  '--',
  '-n',
  ';',
  '&',
  '|',
  '>',
  '<',
  '*',
  '?',
  '[a-z]',
  '~',
  '!',
  '!!',
  '#',
  '{a,b}',
  '=',
  '@@',
  'EOF\n',
  'answer 0 ""\n',
  '\x7f',
  '\x01',
  '\x1b[31m',
  'ü',
  '\u{1f600}',
  '\u2028',
];

const piece = fc.oneof(
  {weight: 3, arbitrary: fc.constantFrom(...PIECES)},
  {weight: 2, arbitrary: fc.string({unit: 'binary', maxLength: 12}).map((text) => text.replaceAll('\0', ''))},
  {weight: 1, arbitrary: fc.string({unit: 'grapheme-ascii', maxLength: 200})},
);
/** Text without NUL, of up to some thousand bytes. */
const text = fc.oneof(
  {weight: 9, arbitrary: fc.array(piece, {maxLength: 12}).map((parts) => parts.join(''))},
  {weight: 1, arbitrary: fc.array(piece, {minLength: 30, maxLength: 120}).map((parts) => parts.join(''))},
);
/** The name of a file. */
const name = text
  .map((one) => Buffer.from(one.replaceAll('/', ':')).subarray(0, 180).toString().replaceAll('\ufffd', '_'))
  .filter((one) => one !== '' && one !== '.' && one !== '..');
const bytes = fc.oneof(
  fc.uint8Array({maxLength: 600}),
  text.map((one) => new Uint8Array(Buffer.from(one))),
);

const RUNS = {numRuns: 40};
const SHELLS = {
  'this system’s sh': undefined,
  bash: 'bash --posix',
  busybox: 'busybox sh',
  mksh: 'mksh',
} as const;

for (const [shell, command] of Object.entries(SHELLS)) {
  describe(`hostile text through a remote shell: ${shell}`, function () {
    this.timeout(120_000);
    let root: string;
    let target: RemoteTarget;
    let host: RemoteHost;

    before(async function () {
      if (command !== undefined && !isThere(command)) skip(this, `no ${shell}`);
      root = temporaryTree();
      const swap = `eval "$(printf '%s' "$SSH_ORIGINAL_COMMAND" | sed 's|/bin/sh |${command} |')"`;
      target = await startTarget(root, command === undefined ? [] : [`ForceCommand ${swap}`]);
      host = await RemoteHost.open(target.options);
    });

    after(async () => {
      if (root === undefined) return;
      await host?.close();
      await target?.stop();
      rmSync(root, {recursive: true, force: true});
    });

    afterEach(() => expect(existsSync('/tmp/agentless-hostile')).to.equal(false));

    it('arguments, input and environment of a program', async () => {
      const script = 'for word; do printf "%s\\000" "$word"; done; printf "%s\\000" "$HOSTILE"; cat';
      await fc.assert(
        fc.asyncProperty(fc.array(text, {maxLength: 4}), text, text, async (words, value, input) => {
          const argv = ['sh', '-c', script, 'sh', ...words];
          const result = await host.run(argv, {input, env: {HOSTILE: value}});
          expect(result.stdout.split('\0')).to.deep.equal([...words, value, input]);
          expect([result.status, result.stderr]).to.deep.equal([0, '']);
        }),
        RUNS,
      );
    });

    it('complaints of a program, whatever they look like', async () => {
      await fc.assert(
        fc.asyncProperty(text, async (words) => {
          const said = await host.run(['sh', '-c', 'printf "%s" "$1" >&2; exit 7', 'sh', words]);
          // A shell takes no newlines at the end of what it keeps.
          expect([said.status, said.stderr.replace(/\n+$/, '')]).to.deep.equal([
            7,
            words.replace(/\n+$/, ''),
          ]);
        }),
        RUNS,
      );
    });

    it('names and contents of files, through each change', async () => {
      await fc.assert(
        fc.asyncProperty(name, bytes, text, async (file, content, more) => {
          const directory = join(root, 'place');
          mkdirSync(directory);
          try {
            const path = join(directory, file);
            await host.write(path, content);
            expect(Buffer.compare(readFileSync(path), content)).to.equal(0);
            const entry = await host.look(path);
            expect(entry?.kind === 'file' && Buffer.compare(entry.bytes, content)).to.equal(0);
            await host.append(path, more);
            const whole = Buffer.concat([content, Buffer.from(more)]);
            expect(Buffer.compare(readFileSync(path), whole)).to.equal(0);
            expect(await host.resolve(path)).to.equal(path);
            await host.copy(path, `${path}'2`);
            await host.makeDirectory(`${path}'3`, {mode: 0o755});
            const names = [file, `${file}'2`, `${file}'3`];
            const looked = await host.look(directory);
            expect(looked?.kind === 'directory' && looked.names).to.have.members(names);
            expect(readdirSync(directory)).to.have.members(names);
            for (const one of names) await host.remove(join(directory, one));
            expect(readdirSync(directory)).to.deep.equal([]);
          } finally {
            rmSync(directory, {recursive: true});
          }
        }),
        RUNS,
      );
    });

    it('where links point to', async () => {
      await fc.assert(
        fc.asyncProperty(name, text, async (file, to) => {
          const destination = Buffer.from(to).subarray(0, 3000).toString().replaceAll('\ufffd', '_') || 'x';
          const path = join(root, `link.${file}`);
          symlinkSync(destination, path);
          const entry = await host.look(path);
          rmSync(path);
          expect(entry).to.deep.equal({kind: 'symlink', target: destination});
        }),
        RUNS,
      );
    });

    it('what a keeper undoes when the connection is lost', async () => {
      const samples = [...new Set(fc.sample(name, {numRuns: 25, seed: 7}))];
      const directory = join(root, 'kept');
      const data = join(root, "da ta'\n$(x)");
      mkdirSync(directory);
      mkdirSync(data, {mode: 0o700});
      const at = (kind: string, one: string) => join(directory, `${kind}.${one}`);
      const [journal, saved, lock] = ['journal.jsonl', 'saved', 'lock'].map((one) => join(data, one)) as [
        string,
        string,
        string,
      ];
      for (const one of samples) writeFileSync(at('old', one), one);
      const lost = await RemoteHost.open(target.options);
      await lost.watch.begin({journal, saved, lock, made: [], marker: undefined});
      mkdirSync(saved);
      writeFileSync(journal, '{"line":"header"}\n');
      for (const [index, one] of samples.entries()) {
        await lost.watch.note({kind: 'absent', path: at('new', one)});
        writeFileSync(at('new', one), 'new');
        // What a write that was cut off has left.
        writeFileSync(temporaryName(at('new', one)), 'half');
        const copy = join(saved, `${index} '"$n`);
        await lost.watch.note({kind: 'file', path: at('old', one), copy});
        writeFileSync(copy, one);
        writeFileSync(at('old', one), 'changed');
        await lost.watch.note({kind: 'release', argv: ['touch', '--', at('released', one)]});
        await lost.watch.note({kind: 'settle', argv: ['sh', '-c', 'echo >"$1"', 'sh', at('settled', one)]});
      }
      await lost.close();
      // Closing is losing, as long as nobody has said that it is over.
      for (const end = Date.now() + 20_000; existsSync(journal) || existsSync(saved); ) {
        if (Date.now() > end) expect.fail('nothing was undone');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const expected = samples.flatMap((one) =>
        ['old', 'released', 'settled'].map((kind) => `${kind}.${one}`),
      );
      expect(readdirSync(directory)).to.have.members(expected);
      for (const one of samples) expect(readFileSync(at('old', one), 'utf8')).to.equal(one);
      expect(readdirSync(data)).to.deep.equal([]);
    });
  });
}

function isThere(command: string): boolean {
  const [program = ''] = command.split(' ');
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program]);
    return true;
  } catch {
    return false;
  }
}
