import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Host} from '../../src/host/host.js';
import {temporaryName} from '../../src/host/temporary.js';
import {skip} from './skip.js';
import {temporaryTree, Xattrs} from './tree.js';

/** What every Host promises. `make` gives one that works on this machine's files, and `close` ends what it took. */
export function describeHost(
  name: string,
  make: () => Promise<Host>,
  close: (host: Host) => Promise<void> = async () => undefined,
): void {
  describe(`host: ${name}`, () => {
    const text = (path: string): string => readFileSync(path, 'utf8');
    const mode = (path: string): string => (lstatSync(path).mode & 0o7777).toString(8);
    const bytes = Buffer.from('one\r\n\xff\0', 'latin1');
    let host: Host;
    let root: string;
    let at: (name: string) => string;

    beforeEach(async () => {
      root = temporaryTree();
      at = (path) => join(root, path);
      host = await make();
    });

    afterEach(async () => {
      await close(host);
      rmSync(root, {recursive: true, force: true});
    });

    async function codeOf(work: Promise<unknown>): Promise<unknown> {
      try {
        await work;
      } catch (error) {
        return (error as {code?: unknown}).code;
      }
      throw new Error('it should have failed');
    }

    describe('look', () => {
      it('tells files, directories and links apart, and follows none', async () => {
        writeFileSync(at('file'), bytes);
        chmodSync(at('file'), 0o4751);
        mkdirSync(at('directory'), {mode: 0o700});
        writeFileSync(at('directory/b'), '');
        writeFileSync(at('directory/a'), '');
        symlinkSync('nowhere', at('link'));
        const {uid, gid} = statSync(at('file'));
        const file = await host.look(at('file'));
        expect(file).to.include({kind: 'file', mode: 0o4751, uid, gid});
        expect(file?.kind === 'file' && Buffer.from(file.bytes).equals(bytes)).to.equal(true);
        expect(await host.look(at('directory'))).to.deep.equal({
          kind: 'directory',
          names: ['a', 'b'],
          mode: 0o700,
          uid,
          gid,
        });
        expect(await host.look(at('link'))).to.deep.equal({kind: 'symlink', target: 'nowhere'});
      });

      it('sees nothing where nothing is, also below a file', async () => {
        writeFileSync(at('file'), '');
        expect(await host.look(at('absent'))).to.equal(undefined);
        expect(await host.look(at('absent/below'))).to.equal(undefined);
        expect(await host.look(at('file/below'))).to.equal(undefined);
      });

      it('does not open a FIFO', async () => {
        execFileSync('mkfifo', [at('fifo')]);
        expect(await host.look(at('fifo'))).to.include({kind: 'special'});
      });

      it('refuses to read a huge file', async () => {
        execFileSync('truncate', ['-s', '17M', at('huge')]);
        expect(await codeOf(host.look(at('huge')))).to.equal('EFBIG');
      });
    });

    it('resolves links through several steps, and fails on a dangling one', async () => {
      mkdirSync(at('d'));
      writeFileSync(at('d/real'), '');
      symlinkSync('d', at('e'));
      symlinkSync('e/real', at('link'));
      symlinkSync('nowhere', at('dangling'));
      expect(await host.resolve(at('link'))).to.equal(at('d/real'));
      expect(await codeOf(host.resolve(at('dangling')))).to.equal('ENOENT');
    });

    describe('write', () => {
      it('makes a new file for its owner alone, unless told otherwise, whatever the umask', async () => {
        await host.write(at('private'), bytes);
        await host.write(at('public'), bytes, {mode: 0o666});
        expect(readFileSync(at('private')).equals(bytes)).to.equal(true);
        expect([mode(at('private')), mode(at('public'))]).to.deep.equal(['600', '666']);
        expect(readdirSync(root)).to.have.members(['private', 'public']);
      });

      it('keeps mode, owner and extended attributes of an existing file', async function () {
        writeFileSync(at('file'), 'before');
        chmodSync(at('file'), 0o440);
        const xattrs = await Xattrs.start(at('file'));
        if (xattrs === undefined) skip(this, 'no python3, or no extended attributes here');
        await xattrs.set(at('file'), 'user.kept', 'yes');
        if (process.getuid?.() === 0) execFileSync('chown', ['12:34', at('file')]);
        const {uid, gid} = lstatSync(at('file'));
        await host.write(at('file'), Buffer.from('after'));
        expect(text(at('file'))).to.equal('after');
        expect(lstatSync(at('file'))).to.include({uid, gid});
        expect(mode(at('file'))).to.equal('440');
        expect(await xattrs.of(at('file'))).to.have.property('user.kept');
        await host.write(at('file'), Buffer.from('again'), {mode: 0o4711});
        expect(mode(at('file'))).to.equal('4711');
        xattrs.stop();
      });

      it('never changes a file in place: a hard link keeps the old bytes', async () => {
        writeFileSync(at('file'), 'before');
        execFileSync('ln', [at('file'), at('other')]);
        await host.write(at('file'), Buffer.from('after'));
        expect([text(at('file')), text(at('other'))]).to.deep.equal(['after', 'before']);
      });

      it('gets over what a crash has left under the temporary name', async () => {
        symlinkSync('/dev/null', temporaryName(at('file')));
        await host.write(at('file'), bytes);
        expect(readdirSync(root)).to.deep.equal(['file']);
      });

      it('refuses links, directories and FIFOs, and leaves nothing behind', async () => {
        symlinkSync('nowhere', at('link'));
        mkdirSync(at('directory'));
        execFileSync('mkfifo', [at('fifo')]);
        expect(await codeOf(host.write(at('link'), bytes))).to.equal('EINVAL');
        expect(await codeOf(host.write(at('fifo'), bytes))).to.equal('EINVAL');
        expect(await codeOf(host.write(at('directory'), bytes))).to.equal('EISDIR');
        expect(await codeOf(host.write(at('absent/file'), bytes))).to.equal('ENOENT');
        expect(readdirSync(root)).to.have.members(['link', 'directory', 'fifo']);
      });
    });

    it('makes directories with exactly the mode asked for, and gives it to existing ones', async () => {
      await host.makeDirectory(at('new'), {mode: 0o1777});
      expect(mode(at('new'))).to.equal('1777');
      writeFileSync(at('new/file'), '');
      const {uid, gid} = lstatSync(at('new'));
      await host.makeDirectory(at('new'), {mode: 0o750, uid, gid});
      expect(mode(at('new'))).to.equal('750');
      writeFileSync(at('file'), '');
      expect(await codeOf(host.makeDirectory(at('file'), {mode: 0o700}))).to.equal('EEXIST');
    });

    it('removes files, links themselves and empty directories; absence is fine', async () => {
      writeFileSync(at('file'), '');
      symlinkSync('file', at('link'));
      mkdirSync(at('directory'));
      await host.remove(at('link'));
      expect(readdirSync(root)).to.have.members(['file', 'directory']);
      await host.remove(at('file'));
      await host.remove(at('directory'));
      await host.remove(at('directory'));
      expect(readdirSync(root)).to.deep.equal([]);
      mkdirSync(at('full/child'), {recursive: true});
      expect(await codeOf(host.remove(at('full')))).to.equal('ENOTEMPTY');
    });

    it('copies everything a file has', async () => {
      writeFileSync(at('from'), bytes);
      chmodSync(at('from'), 0o4400);
      execFileSync('touch', ['-d', '2001-02-03 04:05:06.789', at('from')]);
      await host.copy(at('from'), at('to'));
      await host.copy(at('from'), at('to'));
      expect(readFileSync(at('to')).equals(bytes)).to.equal(true);
      expect(mode(at('to'))).to.equal('4400');
      expect(lstatSync(at('to')).mtimeMs).to.equal(lstatSync(at('from')).mtimeMs);
      expect(readdirSync(root)).to.have.members(['from', 'to']);
      mkdirSync(at('directory'));
      expect(await codeOf(host.copy(at('absent'), at('x')))).to.equal('ENOENT');
      expect(await codeOf(host.copy(at('from'), at('directory')))).to.equal('EISDIR');
      expect(await codeOf(host.copy(at('from'), at('absent/x')))).to.equal('ENOENT');
    });

    it('appends to a private file', async () => {
      await host.append(at('log'), 'a\n');
      await host.append(at('log'), 'b\n');
      expect(text(at('log'))).to.equal('a\nb\n');
      expect(mode(at('log'))).to.equal('600');
    });

    describe('run', () => {
      it('gives status and output as they are', async () => {
        const result = await host.run(['sh', '-c', 'printf "a\\n\\n"; echo b >&2; exit 3']);
        expect(result).to.deep.equal({status: 3, stdout: 'a\n\n', stderr: 'b\n'});
      });

      it('needs no shell, and passes any argument on', async () => {
        const odd = [' ', '', "it's", '"', '$HOME', '`id`', '*', 'a\nb', 'grün', '\\'];
        const {stdout} = await host.run(['printf', '<%s>', ...odd]);
        expect(stdout).to.equal(odd.map((each) => `<${each}>`).join(''));
      });

      it('hands input over, also to a program that does not read it', async () => {
        expect((await host.run(['cat'], {input: 'in\n'})).stdout).to.equal('in\n');
        expect((await host.run(['cat'], {input: Buffer.from('in')})).stdout).to.equal('in');
        expect((await host.run(['cat'])).stdout).to.equal('');
        expect((await host.run(['true'], {input: 'x'.repeat(1_000_000)})).status).to.equal(0);
      });

      it('has 127 for a missing program and 126 for one that cannot be run', async () => {
        expect((await host.run(['no-such-program'])).status).to.equal(127);
        expect((await host.run(['/etc/passwd'])).status).to.equal(126);
      });

      it('ends what takes too long, and tells that apart from any status', async () => {
        expect((await host.run(['sleep', '60'], {timeout: 100})).status).to.equal(undefined);
        // What it has started ends with it.
        const trace = at('trace');
        const words = ['sh', '-c', '(sleep 0.4; : >"$1") & sleep 60', 'sh', trace];
        expect((await host.run(words, {timeout: 100})).status).to.equal(undefined);
        await new Promise((resolve) => setTimeout(resolve, 600));
        expect(await host.look(trace)).to.equal(undefined);
        expect((await host.run(['sh', '-c', 'kill -9 $$'])).status).to.equal(undefined);
      });

      it('speaks the C locale, finds programs of the administrator, and adds what it is told to', async () => {
        const {stdout} = await host.run(['env'], {env: {ADDED: 'yes'}});
        expect(stdout)
          .to.match(/^LC_ALL=C$/m)
          .and.to.match(/^ADDED=yes$/m);
        expect(stdout).to.match(/^PATH=.*\/usr\/sbin/m);
      });
    });

    it('locks against itself, and unlocks', async () => {
      const lock = await host.lock(at('lock'));
      expect(await codeOf(host.lock(at('lock')))).to.equal('HOST_LOCKED');
      await lock.release();
      await lock.release();
      await (await host.lock(at('lock'))).release();
      expect(readdirSync(root)).to.deep.equal([]);
    });
  });
}
