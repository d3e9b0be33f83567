import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {readIdentity} from '../../../src/commands/identity.js';
import {failure} from '../../support/cluster-client.js';
import {identityText, tbotOutput} from '../../support/identity.js';

describe('--identity', () => {
  let directory: string;
  let text: string;
  let warnings: string[];
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'agentless-identity-'));
    text = await identityText(directory);
  });
  beforeEach(() => {
    warnings = [];
  });
  after(() => rmSync(directory, {recursive: true}));

  const read = (path: string) => readIdentity(path, (warning) => warnings.push(warning));
  let count = 0;
  const path = () => join(directory, `p${count++}`);
  const file = (content: string, mode = 0o600): string => {
    const name = path();
    writeFileSync(name, content, {mode});
    return name;
  };
  const output = (without: readonly string[] = []): string => {
    const name = path();
    tbotOutput(name, text);
    for (const one of without) unlinkSync(join(name, one));
    return name;
  };

  it('takes a file, also by a symbolic link', async () => {
    const plain = file(text);
    const link = path();
    symlinkSync(plain, link);
    for (const one of [plain, link]) expect((await read(one)).user).to.equal('alice');
    expect(warnings).to.deep.equal([]);
  });

  it('takes an output directory of tbot: its file identity, else key and certificates apart', async () => {
    const [whole, parts] = [output(), output(['identity', 'known_hosts', 'key-cert.pub'])];
    expect(await read(parts)).to.deep.equal(await read(whole));
    expect(warnings).to.deep.equal([]);
  });

  it('warns when others may read the key, and only then', async () => {
    for (const mode of [0o604, 0o640, 0o666]) {
      const open = file(text);
      chmodSync(open, mode);
      await read(open);
      expect(warnings.pop()).to.equal(
        `${open} is open to others (mode 0${mode.toString(8)}), and whoever reads it is you: chmod 600 ${open}`,
      );
    }
    const parts = output(['identity']);
    chmodSync(join(parts, 'tlscert'), 0o644);
    await read(parts);
    expect(warnings).to.deep.equal([]);
    chmodSync(join(parts, 'key'), 0o644);
    await read(parts);
    expect(warnings.join()).to.contain(join(parts, 'key'));
    const inside = output();
    chmodSync(join(inside, 'identity'), 0o644);
    await read(inside);
    expect(warnings.at(-1)).to.contain(join(inside, 'identity'));
  });

  const refusals: readonly (readonly [string, () => string, RegExp])[] = [
    ['nothing there', () => join(directory, 'gone'), /^there is no identity at .*gone$/],
    ['a path through a file', () => join(file(text), 'identity'), /^there is no identity at/],
    ['a name that cannot be', () => 'a\0b', /^cannot read the identity .*\(ERR_INVALID_ARG_VALUE\)$/],
    [
      'a link in a circle',
      () => {
        const link = path();
        symlinkSync(link, link);
        return link;
      },
      /^cannot read the identity .*\(ELOOP\)$/,
    ],
    ['a directory with nothing in it', () => mkdirSync(path(), {recursive: true}) ?? '', /it has no key$/],
    ['a directory without a certificate', () => output(['identity', 'tlscert']), /it has no tlscert$/],
    [
      'a directory without authorities',
      () => output(['identity', 'teleport-host-ca.crt']),
      /it has no teleport-host-ca\.crt$/,
    ],
    [
      'the state of tbot itself',
      () => {
        const name = output(['identity', 'teleport-host-ca.crt']);
        writeFileSync(join(name, 'tokenhash'), 'x');
        return name;
      },
      /is where tbot keeps its own state/,
    ],
    [
      'a directory whose identity is one',
      () => {
        const name = output(['identity']);
        mkdirSync(join(name, 'identity'));
        return name;
      },
      /identity is not an identity file$/,
    ],
    [
      'something huge',
      () => {
        const name = file('');
        truncateSync(name, 2 ** 40);
        return name;
      },
      /is not an identity file$/,
    ],
    ['another file', () => file('hello\n'), /is not an identity file: it has no private key$/],
  ];
  for (const [what, make, says] of refusals) {
    it(`refuses ${what}`, async () => {
      const refused = await failure(read(make()));
      expect(refused).to.include({code: 'USAGE'});
      expect(refused.message).to.match(says);
      expect(refused.hint).to.be.a('string').that.is.not.empty;
    });
  }

  it('refuses a key that does not belong to the certificate beside it', async () => {
    const [mine, other] = [output(['identity']), await identityText(directory)];
    writeFileSync(join(mine, 'key'), other.slice(0, other.indexOf('ecdsa-')));
    const refused = await failure(read(mine));
    expect(refused.message).to.match(/^the key in .* is not the one of its certificate$/);
  });
});
