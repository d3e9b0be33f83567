import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import {COMMANDS} from '../../../src/commands/index.js';
import {agentless} from '../../support/cli.js';
import {inProcess} from '../../support/in-process.js';
import {type Envelope, envelope} from '../../support/stage.js';

const PACKAGE = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

const IDS = Object.keys(COMMANDS);
const words = (id: string) => id.split(':');

/** Text that help has wrapped, in one line. */
const unwrapped = (text: string) => text.replace(/\s+/g, ' ');

/** Wrong usage, and what is said about it. */
const WRONG: readonly (readonly [line: string, message: RegExp, detail?: RegExp])[] = [
  ['join openssh --nonsense', /^nonexistent flag: --nonsense$/],
  ['join openssh --tokn=S3CRET', /^nonexistent flag: --tokn$/],
  [
    'join openssh --token S3CRET --token-file x',
    /^--token-file=x cannot also be provided when using --token$/,
  ],
  ['join openssh --token S3CRET --identity x', /^--identity and --token exclude each other$/],
  ['join openssh --token-file x --identity y', /^--identity and --token-file exclude each other$/],
  ['join openssh --manual --token S3CRET', /^--manual and --token exclude each other$/],
  ['join openssh --manual', /^--manual needs --identity$/],
  [
    'join openssh --manual --identity x --no-discard-identity',
    /^--manual leaves no credential on this host that could be kept$/,
  ],
  ['join openssh --identity /nowhere', /^there is no identity at \/nowhere$/],
  ['join openssh --identity x --join-method iam', /^--join-method iam needs a token of that method$/],
  ['renew --identity /nowhere', /^there is no identity at \/nowhere$/],
  ['leave --identity /nowhere', /^there is no identity at \/nowhere$/],
  ['join openssh --join-method magic', /^expected --join-method=magic to be one of: /],
  ['join openssh --timeout 0', /^--timeout: expected an integer greater than or equal to 1 but received: 0$/],
  ['join openssh --timeout soon', /^--timeout: expected an integer but received: soon$/],
  ['leave --data-dir=', /^--data-dir: expected a path but received nothing$/],
  ['join openssh --openssh-config=', /^--openssh-config: expected a path but received nothing$/],
  ['join openssh --exit-code', /^--exit-code goes with --dry-run only$/],
  ['join openssh --hostname', /^flag --hostname expects a value$/],
  ['join openssh --dry-run more', /^unexpected argument: more$/],
  ['cluster login --out x', /^missing required flag login$/],
  [
    'cluster login',
    /^2 flags are wrong or missing$/,
    /^missing required flag login\nmissing required flag out$/,
  ],
  ['cluster login --login a --out /tmp/x --ttl soon', /^--ttl wants a duration, not "soon"$/],
  ['cluster start --suite magic', /^expected --suite=magic to be one of: legacy, /],
  ['nonsense', /^there is no command "nonsense"$/],
  ['join nonsense', /^there is no command "join nonsense"$/],
  ['join openssh now', /^"join openssh" takes flags only, not "now"$/],
  ['--token S3CRET', /^the command is missing: flags come after it$/],
  ['--token=S3CRET', /^the command is missing: flags come after it$/],
];

describe('wrong usage', () => {
  for (const [line, message, detail] of WRONG) {
    const argv = line.split(' ');
    it(`"${line}" ends with 2 and says why, to people`, async () => {
      const {status, stdout, stderr} = await inProcess(argv);
      expect(status, stderr).to.equal(2);
      expect(stdout).to.equal('');
      expect(stderr).to.not.include('S3CRET');
      const [first = '', ...rest] = stderr.trimEnd().split('\n');
      expect(first).to.match(/^error: /);
      expect(first.slice('error: '.length)).to.match(message);
      for (const one of rest) expect(one, stderr).to.match(/^(hint: {2}| {7})\S/);
      expect(rest.join('\n')).to.match(/^hint: {2}\S/m);
      if (detail !== undefined) expect(stderr).to.contain(`\n       missing`);
    });
  }

  for (const [line, message, detail] of WRONG.filter(([one]) => !one.startsWith('cluster start'))) {
    it(`"${line} --json" ends with 2 as well, in the envelope`, async () => {
      const {status, stdout, stderr} = await inProcess([...line.split(' '), '--json']);
      expect(stderr).to.equal('');
      expect(stdout).to.not.include('S3CRET');
      const {error, ...rest} = JSON.parse(stdout) as Envelope;
      expect({status, code: error?.code}).to.deep.equal({status: 2, code: 'USAGE'});
      const command = line.split(' ').filter((word, index) => !word.startsWith('-') && index < 2);
      expect(rest).to.deep.equal({
        version: 1,
        command: line.startsWith('-') ? '' : command.join(' '),
        status: 2,
        changed: false,
        warnings: [],
      });
      expect(error?.message).to.match(message);
      if (detail !== undefined) expect(error?.detail).to.match(detail);
      expect(error?.hint).to.be.a('string').and.not.empty;
    });
  }

  it('is answered with every command there is', async () => {
    const {stderr} = await inProcess(['nonsense']);
    for (const id of IDS) expect(stderr).to.contain(words(id).join(' '));
  });

  it('is the same in the program as it is built', async () => {
    for (const argv of [['nonsense'], ['join', 'openssh', '--nonsense']]) {
      const [text, json] = await Promise.all([agentless(argv), agentless([...argv, '--json'])]);
      const here = await inProcess(argv);
      expect(text).to.deep.equal(here);
      expect([json.status, json.stderr]).to.deep.equal([2, '']);
      expect(envelope(json).error?.code).to.equal('USAGE');
    }
  });
});

describe('help', () => {
  it('leads from the top to every command', async () => {
    const {status, stdout, stderr} = await inProcess(['--help']);
    expect({status, stderr}).to.deep.equal({status: 0, stderr: ''});
    for (const id of IDS) {
      const [topic = '', name] = words(id);
      expect(stdout).to.match(new RegExp(`^ {2}${topic} .*${name ?? ''}`, 'm'));
    }
    expect(stdout).to.contain(PACKAGE.description);
  });

  it('of a topic names its commands', async () => {
    for (const topic of new Set(IDS.filter((id) => id.includes(':')).map((id) => words(id)[0] ?? ''))) {
      for (const argv of [[topic], [topic, '--help']]) {
        const {status, stdout} = await inProcess(argv);
        expect(status).to.equal(0);
        for (const id of IDS.filter((one) => one.startsWith(`${topic}:`))) {
          expect(stdout).to.contain(`  ${words(id).join(' ')}  `);
        }
      }
    }
  });

  for (const [id, command] of Object.entries(COMMANDS)) {
    it(`of ${words(id).join(' ')} names every flag and what it does`, async () => {
      const {status, stdout, stderr} = await inProcess([...words(id), '--help']);
      expect({status, stderr}).to.deep.equal({status: 0, stderr: ''});
      expect(stdout).to.contain(command.summary);
      const flags: Record<string, {summary?: string; hidden?: boolean}> = Object(command.flags);
      for (const [name, {summary = '', hidden}] of Object.entries(flags)) {
        if (hidden) expect(stdout, name).to.not.contain(`--${name}`);
        else expect(stdout, name).to.match(new RegExp(`--(\\[no-\\])?${name}\\b`));
        if (!hidden)
          expect(unwrapped(stdout), name).to.contain(unwrapped(summary).split(' ').slice(0, 3).join(' '));
      }
      if (command.enableJsonFlag) expect(stdout).to.contain('--json');
    });

    it(`of ${words(id).join(' ')} fills its lines, and shows examples as they are typed`, async () => {
      const {stdout} = await inProcess([...words(id), '--help']);
      const section = (name: string) =>
        (stdout.split(`\n${name}\n`)[1] ?? '').split(/\n\n[A-Z ]+\n/)[0] ?? '';
      const lines = section('DESCRIPTION').split('\n');
      for (const [index, line] of lines.entries()) {
        const [next = ''] = lines[index + 1]?.trim().split(' ') ?? [];
        if (line !== '' && next !== '') expect(`${line} ${next}`, line).to.have.length.above(76);
      }
      const examples = section('EXAMPLES').trim().split('\n\n');
      for (const example of examples)
        expect(example.trim()).to.match(/^\$ (.* )?agentless |^\$ .*\(agentless /);
    });
  }
});

describe('--version', () => {
  it('is the same, answered at once or by oclif', async () => {
    const [built, here] = [await agentless(['--version']), await inProcess(['--version'])];
    expect(built).to.deep.equal(here);
    expect(built).to.deep.include({status: 0, stderr: ''});
    expect(built.stdout).to.match(
      new RegExp(`^agentless/${PACKAGE.version.replaceAll('.', '\\.')} \\S+ node-v\\d+`),
    );
  });
});
