import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {holderOf} from '../../../src/host/holder.js';
import {LocalHost} from '../../../src/host/local.js';
import {ReadOnlyHost} from '../../../src/host/read-only.js';

describe('a host that is only looked at', () => {
  const host = new ReadOnlyHost(new LocalHost());
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'read-only-'));
    writeFileSync(join(root, 'file'), 'text');
  });
  afterEach(() => rmSync(root, {recursive: true}));

  it('shows what is there', async () => {
    expect(host.name).to.equal(new LocalHost().name);
    expect(await host.look(join(root, 'file'))).to.deep.include({kind: 'file'});
    expect(await host.resolve('/proc/self')).to.match(/^\/proc\/\d+$/);
    expect(await host.run(['echo', 'hello'])).to.deep.include({status: 0, stdout: 'hello\n'});
  });

  it('refuses every change, as a read-only file system does, and does not try it', async () => {
    const path = join(root, 'file');
    const changes = [
      () => host.write(path),
      () => host.makeDirectory(join(root, 'directory')),
      () => host.remove(path),
      () => host.copy(path, join(root, 'copy')),
      () => host.append(path),
      () => host.lock(join(root, 'lock')),
    ];
    for (const change of changes) {
      const error = await change().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error, String(change)).to.have.property('code', 'EROFS');
    }
    expect(readdirSync(root)).to.deep.equal(['file']);
    expect(await host.look(path)).to.deep.include({bytes: new Uint8Array(Buffer.from('text'))});
  });

  it('tells who holds a lock, and that a dead holder holds nothing', async () => {
    const local = new LocalHost();
    const path = join(root, 'lock');
    expect(await holderOf(host, path)).to.equal(undefined);
    const lock = await local.lock(path);
    expect(await holderOf(host, path)).to.equal(process.pid);
    await lock.release();
    for (const text of [
      '',
      '{',
      '{"pid":4194303,"start":"1","boot":"x"}',
      '{"pid":1,"start":"0","boot":""}',
    ]) {
      writeFileSync(path, text);
      expect(await holderOf(host, path), text).to.equal(undefined);
    }
  });
});
