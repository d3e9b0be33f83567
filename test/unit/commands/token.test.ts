import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {inspect} from 'node:util';
import {expect} from 'chai';
import {readToken} from '../../../src/commands/token.js';
import {agentless} from '../../support/cli.js';
import {failure} from '../../support/cluster-client.js';
import {envelope} from '../../support/stage.js';

const TOKEN = 'e92faee4c08cade76f7919ec4d5685de';

describe('a token', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'agentless-token-'));
  });
  after(() => rmSync(directory, {recursive: true}));

  const file = (text: string): string => {
    const path = join(directory, 'token');
    writeFileSync(path, text);
    return path;
  };
  const read = async (value?: string, path?: string, environment?: string) =>
    (await readToken(value, path, environment))?.reveal();

  it('comes from a flag, a file, a flag that names a file, or the environment', async () => {
    const path = file(TOKEN);
    expect(await read(TOKEN)).to.equal(TOKEN);
    expect(await read(undefined, path)).to.equal(TOKEN);
    expect(await read(path)).to.equal(TOKEN);
    expect(await read(undefined, undefined, TOKEN)).to.equal(TOKEN);
    expect(await read()).to.equal(undefined);
  });

  it('comes from the nearest of them: a file, a flag, then the environment', async () => {
    expect(await read('flag', file('file'), 'environment')).to.equal('file');
    expect(await read('flag', undefined, 'environment')).to.equal('flag');
  });

  it('is trimmed, for files and pipes end in a newline', async () => {
    for (const text of [`${TOKEN}\n`, `  ${TOKEN}\r\n\n`, `\ufeff${TOKEN}\n`, `\t${TOKEN}`]) {
      expect(await read(undefined, file(text))).to.equal(TOKEN);
      expect(await read(undefined, undefined, text)).to.equal(TOKEN);
    }
  });

  it('is refused when it is empty or several words, and is not repeated', async () => {
    const sources = [
      (text: string) => read(undefined, file(text)),
      (text: string) => read(file(text)),
      (text: string) => read(text),
      (text: string) => read(undefined, undefined, text),
    ];
    for (const source of sources) {
      for (const text of ['', '\n', ' \t\r\n']) {
        const {code, message, hint} = await failure(source(text));
        expect(code).to.equal('USAGE');
        expect(message).to.match(/^the token from .+ is empty$/);
        expect(hint).to.contain('tctl tokens add');
      }
      for (const text of [`${TOKEN} more`, `${TOKEN}\n${TOKEN}`, `${TOKEN}\u0000x`, `${TOKEN}\u001b[0m`]) {
        const {code, message} = await failure(source(text));
        expect(code).to.equal('USAGE');
        expect(message).to.match(/^the token from .+ is not a single word$/);
        expect(message).to.not.include(TOKEN);
      }
    }
  });

  it('is refused when its file cannot be read, with the reason', async () => {
    const gone = join(directory, 'gone');
    for (const refused of [failure(read(gone)), failure(read(undefined, gone))]) {
      const {code, message} = await refused;
      expect({code, message}).to.deep.equal({
        code: 'USAGE',
        message: `cannot read the token file ${gone} (ENOENT)`,
      });
    }
    expect((await failure(read(undefined, directory))).message).to.contain('(EISDIR)');
    expect((await failure(read(undefined, 'a\0b'))).message).to.contain('(ERR_INVALID_ARG_VALUE)');
  });

  it('is taken out of the environment, which every child inherits', async () => {
    process.env['AGENTLESS_TOKEN'] = TOKEN;
    expect(await read(undefined, undefined, process.env['AGENTLESS_TOKEN'])).to.equal(TOKEN);
    expect(process.env).to.not.have.property('AGENTLESS_TOKEN');
    process.env['AGENTLESS_TOKEN'] = TOKEN;
    await read('flag', undefined, process.env['AGENTLESS_TOKEN']);
    expect(process.env).to.not.have.property('AGENTLESS_TOKEN');
  });

  it('shows itself to nobody by accident', async () => {
    const token = await readToken(TOKEN, undefined, undefined);
    expect(
      [`${token}`, JSON.stringify({token}), inspect(token), inspect({token}, {showHidden: true})].join(),
    ).to.not.include(TOKEN);
  });

  it('comes from standard input of the program', async () => {
    const argv = [
      'join',
      'openssh',
      '--token',
      '-',
      '--json',
      '--proxy-server',
      '127.0.0.1:1',
      '--timeout',
      '1',
    ];
    const empty = envelope(await agentless(argv, {input: '\n'}));
    expect(empty.error?.message).to.equal('the token from standard input is empty');
    const several = envelope(await agentless(argv, {input: 'a\nb\n'}));
    expect(several.error?.message).to.equal('the token from standard input is not a single word');
  });
});
