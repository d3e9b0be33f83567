import {execFileSync} from 'node:child_process';
import {mkdirSync, symlinkSync} from 'node:fs';
import {expect} from 'chai';
import {OWNER_LINE} from '../../../src/operations/layout.js';
import {mergeAuthorities, readExisting} from '../../../src/operations/user-authorities.js';
import {failure, hostKey} from '../../support/cluster-client.js';
import {PrivateHost} from '../../support/private-host.js';

const [OURS, NEXT, SITE, OTHER] = [hostKey(), hostKey('p256'), hostKey(), hostKey('rsa2048')];
const FROM = '/etc/ssh/ca.pub';
const merge = (existing: string | undefined) => mergeAuthorities([OURS, NEXT], existing, FROM);

/** The keys of a merged file, in the order in which sshd reads them. */
const keysOf = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the merged file of user authorities', () => {
  it('is ours alone where nothing was trusted before', () => {
    const alone = {text: `${OWNER_LINE}\n${OURS}\n${NEXT}\n`, own: 0, warnings: []};
    expect(merge(undefined)).to.deep.equal(alone);
    for (const nothing of ['', '\n\n', '# only words\n']) expect(merge(nothing)).to.deep.equal(alone);
  });

  it("holds ours first, then the site's own with their comments", () => {
    const {text, own, warnings} = merge(`# the old CA\n\n${SITE} ops@example.com\n  ${OTHER}`);
    expect(text.split('\n')).to.deep.equal([
      OWNER_LINE,
      OURS,
      NEXT,
      `# Trusted here before, from ${FROM}`,
      `${SITE} ops@example.com`,
      OTHER,
      '',
    ]);
    expect({own, warnings}).to.deep.equal({own: 2, warnings: []});
  });

  it('holds every key once, and none of ours twice', () => {
    const {text, own} = merge(`${SITE}\n${OURS} a copy\n${SITE} again\n`);
    expect(keysOf(text)).to.deep.equal([OURS, NEXT, SITE]);
    expect(own).to.equal(1);
    expect(merge(`${OURS}\n`).own).to.equal(0);
  });

  it('is what it was when it is merged again', () => {
    const once = merge(`${SITE}\n`).text;
    expect(keysOf(merge(once).text)).to.deep.equal(keysOf(once));
  });

  it('ends its lines with LF, for a CR LF of its own would end what sshd reads', () => {
    const {text, own, warnings} = merge(`# c\r\n${SITE} ops\r\n${OTHER}\r\n`);
    expect(text).to.not.include('\r');
    expect(keysOf(text)).to.deep.equal([OURS, NEXT, `${SITE} ops`, OTHER]);
    expect({own, warnings}).to.deep.equal({own: 2, warnings: []});
  });

  it('keeps authorities on security keys, which are not ours to judge', () => {
    const blob = Buffer.from('0000001a736b2d7373682d65643235353139406f70656e7373682e636f6d', 'hex');
    const sk = `sk-ssh-ed25519@openssh.com ${blob.toString('base64')}`;
    const {text, own, warnings} = merge(`${sk} token\n${sk} again\n${SITE}\n`);
    expect(keysOf(text)).to.deep.equal([OURS, NEXT, `${sk} token`, SITE]);
    expect({own, warnings}).to.deep.equal({own: 2, warnings: []});
  });

  it('leaves out what is no key, and says which line that was', () => {
    const lines = [
      SITE,
      `cert-authority ${OTHER}`,
      'ssh-ed25519 AAAA',
      'rubbish',
      'ssh-dss AAAAB3NzaC1kc3MAAAA=',
    ];
    const {text, own, warnings} = merge(`${lines.join('\n')}\n`);
    expect(keysOf(text)).to.deep.equal([OURS, NEXT, SITE]);
    expect(own).to.equal(1);
    expect(warnings).to.deep.equal(
      [2, 3, 4, 5].map((line) => `${FROM} line ${line} is no public key that can be merged; it is left out`),
    );
  });

  it('says when it makes sshd trust keys that it has not read so far', () => {
    const cases = {
      garbage: `${SITE}\nrubbish\n${OTHER}\n`,
      'an empty line that ends in CR LF': `${SITE}\n\r\n${OTHER}\n`,
      'blanks that end in CR LF': `${SITE}\n \t\r\n${OTHER}\n`,
    };
    for (const [name, text] of Object.entries(cases)) {
      const {own, warnings} = merge(text);
      expect(own, name).to.equal(2);
      expect(warnings.at(-1), name).to.equal(
        `sshd stopped reading ${FROM} at line 2; a key from there on will be trusted now`,
      );
    }
    const mark = '\u00ef\u00bb\u00bf';
    const {text, warnings} = merge(`${mark}${SITE}\n${OTHER}\n`);
    expect(keysOf(text)).to.deep.equal([OURS, NEXT, SITE, OTHER]);
    expect(warnings).to.deep.equal([
      `sshd stopped reading ${FROM} at line 1; 2 keys from there on will be trusted now`,
    ]);
    expect(merge(`${mark}# c\n${SITE}\n`).warnings).to.have.length(1);
    expect(merge(`${SITE}\n\t# indented\n   \n${OTHER}\n`).warnings).to.deep.equal([]);
  });
});

describe('the user authorities trusted so far', () => {
  let box: PrivateHost;
  before(() => {
    box = new PrivateHost();
  });
  after(() => box[Symbol.dispose]());
  const read = (path: string | undefined) => readExisting(box.host, path);

  it('are the bytes of that file, also behind a symbolic link', async () => {
    const path = box.write('ca', `\u00ef\u00bb\u00bf${SITE} J\u00fcrgen\r\n`);
    symlinkSync(path, box.at('link'));
    expect(await read(path)).to.equal(`\u00ef\u00bb\u00bf${SITE} J\u00fcrgen\r\n`);
    expect(await read(box.at('link'))).to.equal(await read(path));
  });

  it('are nothing where nothing is configured, or nothing is there', async () => {
    symlinkSync('nowhere', box.at('dangling'));
    for (const path of [undefined, 'none', 'None', box.at('gone')]) {
      expect(await read(path), path).to.equal(undefined);
    }
  });

  it('cannot be merged from a named pipe, which is never opened, or from a directory', async () => {
    execFileSync('mkfifo', [box.at('pipe')]);
    mkdirSync(box.at('directory'));
    symlinkSync(box.at('pipe'), box.at('to-pipe'));
    for (const name of ['pipe', 'directory', 'to-pipe']) {
      const {code, message, hint} = await failure(read(box.at(name)));
      expect(code).to.equal('HOST_UNSUITABLE');
      expect(message).to.match(/cannot be merged: \S+ is not a regular file$/);
      expect(hint).to.contain('one TrustedUserCAKeys file only');
    }
  });
});
