import {chmodSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {LocalHost} from '../../../src/host/local.js';
import {describe as describePlan, type StepPreview} from '../../../src/plan/diff.js';
import type {Step, Target} from '../../../src/plan/step.js';
import {snapshot, temporaryTree} from '../../support/tree.js';

describe('the preview of a plan', () => {
  const host = new LocalHost();
  let root: string;
  let at: (name: string) => string;

  beforeEach(() => {
    root = temporaryTree();
    at = (name) => join(root, name);
  });

  afterEach(() => rmSync(root, {recursive: true}));

  const file = (content: string | Uint8Array, rest: {mode?: number; secret?: boolean} = {}): Target => ({
    kind: 'file',
    bytes: Buffer.from(content as string),
    ...rest,
  });

  async function preview(name: string, to: Target | undefined): Promise<StepPreview & {what: string}> {
    const before = await snapshot(root);
    const [only] = await describePlan(host, [{kind: 'path', path: at(name), to, why: 'because'}]);
    expect(await snapshot(root)).to.deep.equal(before);
    if (only === undefined) throw new Error('no preview');
    return {...only, what: only.headline.slice(at(name).length + 1)};
  }

  it('shows a new file whole', async () => {
    const {what, lines, why, kind} = await preview('new', file('# ours\n\nPort 22\n'));
    expect(what).to.match(new RegExp(`^\\(new, 0644 ${userInfo().username}:\\S+\\)$`));
    expect(lines).to.deep.equal(['+ # ours', '+', '+ Port 22']);
    expect({why, kind}).to.deep.equal({why: 'because', kind: 'path'});
  });

  it('shows a changed file as a unified diff, with the mode where that changes', async () => {
    const old = Array.from({length: 20}, (_, index) => `line ${index}`);
    writeFileSync(at('file'), `${old.join('\n')}\n`);
    chmodSync(at('file'), 0o644);
    const text = `${old.with(10, 'ten').join('\n')}\n`;
    expect(await preview('file', file(text))).to.deep.include({
      what: '(changed)',
      lines: [
        '@@ -8,7 +8,7 @@',
        ...['  line 7', '  line 8', '  line 9', '- line 10', '+ ten', '  line 11', '  line 12', '  line 13'],
      ],
    });
    expect((await preview('file', file(text, {mode: 0o600}))).what).to.equal('(changed, 0644 to 0600)');
    expect((await preview('file', file(text, {mode: 0o644}))).what).to.equal('(changed)');
  });

  it('shows a removed file', async () => {
    writeFileSync(at('file'), 'gone\n');
    expect(await preview('file', undefined)).to.deep.include({
      what: '(removed)',
      lines: ['- gone'],
    });
  });

  it('shows what becomes of directories', async () => {
    mkdirSync(at('old'));
    chmodSync(at('old'), 0o755);
    expect((await preview('new', {kind: 'directory', mode: 0o755})).what).to.match(
      /^\(new directory, 0755 \S+:\S+\)$/,
    );
    expect(await preview('old', {kind: 'directory', mode: 0o700})).to.deep.include({
      what: '(changed directory, 0755 to 0700)',
      lines: [],
    });
    expect((await preview('old', undefined)).what).to.equal('(removed directory)');
  });

  it('shows no secret, coming or going, and no binary', async () => {
    const hidden = ['  (secret: not shown)'];
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n';
    expect((await preview('new', file('abc', {secret: true}))).lines).to.deep.equal(hidden);
    expect((await preview('new', file('abc', {secret: true}))).what).to.include('0600');
    expect((await preview('new', file(key))).lines).to.deep.equal(hidden);
    writeFileSync(at('key'), key);
    expect((await preview('key', undefined)).lines).to.deep.equal(hidden);
    writeFileSync(at('binary'), 'a\0b');
    expect((await preview('binary', file('abc'))).lines).to.deep.equal(['  (binary: not shown)']);
    expect((await preview('new', file('a\0b'))).lines).to.deep.equal(['  (binary: not shown)']);
  });

  it('makes carriage returns and control characters visible, and takes odd bytes for Latin-1', async () => {
    writeFileSync(at('file'), 'one\r\ntwo\r\n');
    expect((await preview('file', file('one\ntwo\r\n'))).lines)
      .to.include('- one\\r')
      .and.to.include('+ one');
    expect((await preview('new', file('\u001b[2J\ttab\u009b\n'))).lines).to.deep.equal([
      '+ \\x1b[2J\ttab\\x9b',
    ]);
    expect((await preview('new', file('gr\u00fcn\n'))).lines).to.deep.equal(['+ gr\u00fcn']);
    const latin = {kind: 'file', bytes: Buffer.from('gr\u00fcn\n', 'latin1')} as const;
    expect((await preview('new', latin)).lines).to.deep.equal(['+ gr\u00fcn']);
  });

  it('cuts a certificate short, and shows an ed25519 key whole', async () => {
    const [key, certificate] = [`AAAA${'k'.repeat(64)}`, `AAAA${'c'.repeat(900)}==`];
    const {lines} = await preview('file', file(`ssh-ed25519 ${key} a\nssh-rsa-cert ${certificate} b\n`));
    expect(lines).to.deep.equal([`+ ssh-ed25519 ${key} a`, `+ ssh-rsa-cert AAAA${'c'.repeat(36)}… b`]);
  });

  it('says that the last line has no end', async () => {
    expect((await preview('new', file('x'))).lines).to.deep.equal(['+ x', '\\ No newline at end of file']);
  });

  it('lists commands and checks', async () => {
    const steps: Step[] = [
      {kind: 'check', argv: ['sshd', '-t'], why: 'check'},
      {kind: 'command', argv: ['systemctl', 'reload', 'ssh'], settle: ['x'], why: 'reload'},
    ];
    expect(await describePlan(host, steps)).to.deep.equal([
      {kind: 'check', headline: 'sshd -t', why: 'check', lines: []},
      {kind: 'command', headline: 'systemctl reload ssh', why: 'reload', lines: []},
    ]);
  });
});
