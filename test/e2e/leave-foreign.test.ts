// Others have had their hands on the host since the join: what is theirs stays, ours goes, and what cannot be done safely
// is said and left.

import {execFileSync} from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {servedKeys} from '../support/served-keys.js';
import {type Envelope, Stage} from '../support/stage.js';

const RECORD = 'record.json';

describe('leave among others', function () {
  this.timeout(60_000);
  let stage: Stage;
  let stock: string;
  let keys: ReadonlySet<string>;
  let own: string;
  const at = (name: string) => join(own, name);

  beforeEach(async () => {
    stage = await Stage.quick();
    stock = stage.config;
    keys = await servedKeys(stage.sshd.port);
    own = join(stage.root, 'etc/agentless');
    expect((await stage.join()).status).to.equal(0);
  });
  afterEach(() => stage.stop());

  /** The host has left: nothing of ours is in effect. */
  async function left(words: readonly string[] = []): Promise<Envelope> {
    const answer = await stage.leaveJson(words);
    expect(answer.exit, JSON.stringify(answer)).to.equal(0);
    expect(existsSync(join(stage.dataDir, RECORD))).to.equal(false);
    expect(await servedKeys(stage.sshd.port)).to.deep.equal(keys);
    expect(stage.cluster.nodes()).to.deep.equal([]);
    const again = await stage.leaveJson();
    expect([again.exit, again.changed], 'the second time').to.deep.equal([0, false]);
    return answer;
  }

  const pathsLeft = ({result}: Envelope): string[] =>
    result.left.map(({path}: {path: string}) => path.slice(own.length + 1));

  describe('in sshd_config', () => {
    it('takes out its block only, and keeps their lines, mode and all', async () => {
      writeFileSync(stage.sshd.config, `# head\n${stage.config}MaxSessions 7\n`, 'latin1');
      chmodSync(stage.sshd.config, 0o640);
      const {result} = await left();
      expect(stage.config).to.equal(`# head\n${stock}MaxSessions 7\n`);
      expect(lstatSync(stage.sshd.config).mode & 0o777).to.equal(0o640);
      expect(result.left).to.deep.equal([]);
      expect(existsSync(stage.dataDir)).to.equal(false);
    });

    it('keeps a mode that they have set, and puts the content back', async () => {
      chmodSync(stage.sshd.config, 0o600);
      await left();
      expect(stage.config).to.equal(stock);
      expect(lstatSync(stage.sshd.config).mode & 0o777).to.equal(0o600);
    });

    it('has nothing to take out where a template was written over it', async () => {
      writeFileSync(stage.sshd.config, `${stock}# by a template\n`, 'latin1');
      await left();
      expect(stage.config).to.equal(`${stock}# by a template\n`);
      expect(existsSync(own)).to.equal(false);
    });

    it('finds its lines where the markers are damaged', async () => {
      writeFileSync(stage.sshd.config, stage.config.replace(/^# END.*\n/m, '# a note\n'), 'latin1');
      await left();
      expect(stage.config).to.equal(`# a note\n${stock}`);
    });

    it('leaves alone what names its files elsewhere, and the files with it', async () => {
      const line = `TrustedUserCAKeys ${at('trusted_user_ca_keys')}\n`;
      writeFileSync(stage.sshd.config, `${stage.config}${line}`, 'latin1');
      // In the file that we have edited it is ours.
      const text = await left();
      expect(text.result.left).to.deep.equal([]);
      expect(stage.config).to.equal(stock);
    });

    it('goes where a link was replaced by a copy, as sed -i does', async () => {
      await left();
      const target = join(stage.root, 'etc/site.conf');
      renameSync(stage.sshd.config, target);
      symlinkSync('site.conf', stage.sshd.config);
      expect((await stage.join()).status).to.equal(0);
      const copy = readFileSync(target, 'latin1');
      rmSync(stage.sshd.config);
      writeFileSync(stage.sshd.config, `${copy}# edited\n`, 'latin1');
      await left();
      expect(stage.config).to.equal(`${stock}# edited\n`);
      expect(readFileSync(target, 'latin1')).to.equal(stock);
    });

    it('does not follow a link that was put there meanwhile, and keeps the copy of what was there', async () => {
      const target = join(stage.root, 'etc/elsewhere.conf');
      renameSync(stage.sshd.config, target);
      symlinkSync('elsewhere.conf', stage.sshd.config);
      const {result, warnings} = await left();
      expect(result.left).to.have.length(1);
      expect(result.left[0].reason).to.match(/sshd_config is a symbolic link to elsewhere\.conf now$/);
      expect(readFileSync(target, 'latin1'), 'our block is no longer read').to.equal(stock);
      const kept = /kept in (\S+)/.exec(warnings.join('\n'))?.[1] ?? '';
      expect(readFileSync(kept, 'latin1')).to.equal(stock);
      expect(warnings.at(-1)).to.equal(`${stage.dataDir} stays because it holds saved`);
    });
  });

  describe('among our own files', () => {
    it('keeps the block where the file it includes has lines of others, for they are read', async () => {
      appendFileSync(at('sshd.conf'), 'Banner none\nMaxSessions 7\n');
      const {result} = await left();
      expect(pathsLeft({result} as Envelope)).to.have.length(2);
      expect(result.left[0].remedy).to.include('move those lines into a file of yours');
      expect(readFileSync(at('sshd.conf'), 'latin1')).to.equal('Banner none\nMaxSessions 7\n');
      expect(stage.config).to.match(/^# BEGIN agentless/);
      expect(existsSync(at('trusted_user_ca_keys'))).to.equal(false);
    });

    it('leaves a file that they have replaced, and says so', async () => {
      writeFileSync(at('ssh_host_ed25519_key-cert.pub'), 'not a certificate\n');
      const {result, warnings} = await left();
      expect(pathsLeft({result} as Envelope)).to.deep.equal(['ssh_host_ed25519_key-cert.pub', '']);
      expect(warnings[0]).to.match(
        /changed by somebody else and is left alone; remove \S+ when nothing needs it/,
      );
      expect(readFileSync(at('ssh_host_ed25519_key-cert.pub'), 'utf8')).to.equal('not a certificate\n');
      expect(existsSync(at('trusted_user_ca_keys'))).to.equal(false);
    });

    const oddities: readonly [string, (path: string) => void, RegExp][] = [
      ['a FIFO', (path) => execFileSync('mkfifo', [path]), /is neither a file nor a directory now/],
      ['a link', (path) => symlinkSync('/etc/hostname', path), /is a symbolic link to \/etc\/hostname now/],
      ['a directory', (path) => mkdirSync(path), /was changed by somebody else/],
    ];
    for (const [what, make, says] of oddities) {
      it(`leaves ${what} where the authorities were, and opens nothing`, async () => {
        const path = at('trusted_user_ca_keys');
        rmSync(path);
        make(path);
        const {result} = await left();
        expect(pathsLeft({result} as Envelope)).to.deep.equal(['trusted_user_ca_keys', '']);
        expect(result.left[0].reason).to.match(says);
        expect(lstatSync(path, {throwIfNoEntry: false})).to.not.equal(undefined);
        expect(stage.config).to.equal(stock);
      });
    }

    it('keeps a directory that holds something of theirs', async () => {
      writeFileSync(at('notes'), 'x');
      const {result} = await left();
      expect(result.left[0].reason).to.match(/agentless is left because it holds notes$/);
    });

    it('has nothing to do about what they have removed', async () => {
      rmSync(own, {recursive: true});
      writeFileSync(stage.sshd.config, stock, 'latin1');
      const {result} = await left();
      expect(result.left).to.deep.equal([]);
      expect(existsSync(stage.dataDir)).to.equal(false);
    });

    it('keeps a file that the site has come to need', async () => {
      const file = join(stage.root, 'etc/site.inc');
      writeFileSync(file, `TrustedUserCAKeys ${at('trusted_user_ca_keys')}\n`);
      writeFileSync(stage.sshd.config, `${stage.config}Include ${file}\n`, 'latin1');
      const {result} = await left();
      expect(pathsLeft({result} as Envelope)).to.deep.equal(['trusted_user_ca_keys', '']);
      expect(result.left[0].reason).to.include(`sshd needs it: trustedusercakeys in ${file} line 1`);
      expect(existsSync(at('trusted_user_ca_keys'))).to.equal(true);
    });
  });

  describe('in the data directory', () => {
    it('takes the copies out of sshd_config where they are gone', async () => {
      rmSync(join(stage.dataDir, 'saved'), {recursive: true});
      await left();
      expect(stage.config).to.equal(stock);
    });

    it('refuses one that others may write to, and changes nothing', async () => {
      const before = await stage.host();
      chmodSync(stage.dataDir, 0o777);
      const {exit, error} = await stage.leaveJson();
      expect([exit, error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
      expect(error?.message).to.include('can be written by others');
      expect(await stage.host()).to.deep.equal(before);
    });

    it('refuses a record that is damaged, or of a newer version, and says what to do', async () => {
      const before = await stage.host();
      const path = join(stage.dataDir, RECORD);
      const text = readFileSync(path, 'utf8');
      const cases = [
        [text.slice(0, 100), /record\.json is damaged/],
        [text.replace('"version": 1', '"version": 99'), /newer agentless/],
        [text.replace('"cluster"', '"clutter"'), /says nothing about a join/],
      ] as const;
      for (const [damaged, says] of cases) {
        writeFileSync(path, damaged);
        const {exit, error} = await stage.leaveJson();
        expect(exit, String(says)).to.equal(6);
        expect(error?.message).to.match(says);
        expect(error?.hint).to.match(/./);
        expect(await stage.host()).to.deep.equal(before);
      }
      writeFileSync(path, text);
      await left();
    });

    it('refuses where the record is missing, and says what there is and what to do', async () => {
      rmSync(join(stage.dataDir, RECORD));
      const before = await stage.host();
      for (const words of [[], ['--local', '--no-restart-sshd'], ['--dry-run']]) {
        const {exit, error} = await stage.leaveJson(words);
        expect([exit, error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
        expect(error?.message).to.match(/the ownership record in \S+ is gone, but files of a join are here/);
        expect(error?.detail).to.include(join(stage.dataDir, 'identity'));
        expect(error?.hint).to.include('join again').and.include('by hand');
      }
      expect(await stage.host()).to.deep.equal(before);
    });
  });
});
