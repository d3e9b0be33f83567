// Hosts behind ssh on which a change is not possible, or not now: it is said, and they are what they were.

import {mkdirSync, rmSync, statfsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {LocalHost} from '../../src/host/local.js';
import {useRemoteSystem} from '../support/remote-system.js';
import type {Answer} from '../support/system-stage.js';

const DATA = '/var/lib/agentless';

describe('join openssh --host on a host that cannot be changed', function () {
  this.timeout(180_000);
  const system = useRemoteSystem();
  const stage = () => system().stage;

  /** No token was spent, and nothing was registered. */
  async function expectRefused(says: RegExp, code = 'HOST_UNSUITABLE', exit = 6): Promise<Answer> {
    const before = await stage().etc();
    const joins = stage().cluster.stats.requests['POST /webapi/host/credentials'] ?? 0;
    const answer = await system().join();
    expect([answer.exit, answer.error?.code], JSON.stringify(answer)).to.deep.equal([exit, code]);
    expect(answer.error?.message).to.match(says);
    expect(await stage().etc()).to.deep.equal(before);
    expect(stage().cluster.nodes()).to.deep.equal([]);
    expect(stage().cluster.stats.requests['POST /webapi/host/credentials'] ?? 0).to.equal(joins);
    expect(
      stage()
        .names('/run')
        .filter((name) => name.startsWith('agentless')),
    ).to.deep.equal([]);
    return answer;
  }

  async function expectJoinedAndLeft(): Promise<void> {
    const joined = await system().join();
    expect([joined.exit, joined.changed], JSON.stringify(joined)).to.deep.equal([0, true]);
    const left = await system().leave();
    expect(left.exit, JSON.stringify(left)).to.equal(0);
    expect(await stage().etc('ssh')).to.deep.equal(await stage().stock('ssh'));
  }

  it('with a read-only /etc', async () => {
    stage().space.run('mount', '-o', 'remount,bind,ro', '/etc');
    try {
      const {error} = await expectRefused(/^\/etc\/ssh\/sshd_config and \/etc\/ssh cannot be written$/);
      expect(error?.hint).to.include('read-only file system');
    } finally {
      stage().space.run('mount', '-o', 'remount,bind,rw', '/etc');
    }
    await expectJoinedAndLeft();
  });

  it('with a read-only place for its data', async () => {
    stage().space.run('mount', '-o', 'remount,ro', '/var/lib');
    try {
      await expectRefused(/^\/var\/lib cannot be written$/);
    } finally {
      stage().space.run('mount', '-o', 'remount,rw', '/var/lib');
    }
  });

  for (const directory of ['/etc/ssh', DATA]) {
    it(`with ever more room in ${directory}, until it fits`, async () => {
      system().shrink(directory, 1024);
      const filler = stage().path(join(directory, 'filler'));
      try {
        const codes: string[] = [];
        for (let room = 0; codes.at(-1) !== 'done' && room <= 64; room = Math.max(1, room * 2)) {
          rmSync(filler, {force: true});
          const {bavail, bsize} = statfsSync(stage().path(directory));
          writeFileSync(filler, Buffer.alloc((bavail - room) * bsize));
          const before = await stage().etc();
          const {exit, error, ...answer} = await system().join();
          codes.push(error?.code ?? 'done');
          const what = `${room} pages: ${JSON.stringify({exit, error, ...answer})}`;
          if (error === undefined) break;
          expect(error.code, what).to.be.oneOf(['CHANGE_FAILED', 'HOST_UNSUITABLE']);
          expect(`${error.message}\n${error.detail}`, what).to.match(/no space left|disk is full/i);
          expect(await stage().etc(), what).to.deep.equal(before);
          expect(
            stage()
              .names(DATA)
              .filter((name) => name !== 'filler'),
            what,
          ).to.deep.equal([]);
          expect(stage().cluster.nodes(), what).to.deep.equal([]);
        }
        expect(codes.length, codes.join()).to.be.greaterThan(2);
        expect(codes.at(-1)).to.equal('done');
        // Leaving takes some as well.
        rmSync(filler);
        const left = await system().leave();
        expect(left.exit, JSON.stringify(left)).to.equal(0);
      } finally {
        system().unmount(directory);
        rmSync(stage().path(DATA), {recursive: true, force: true});
      }
    });
  }

  it('while another run is at work there, whose pid it names', async () => {
    mkdirSync(stage().path(DATA), {mode: 0o700});
    const theirs = await new LocalHost().lock(stage().path(join(DATA, 'lock')));
    try {
      const {error} = await expectRefused(/^another agentless is at work on this host/, 'HOST_LOCKED');
      expect(error?.message).to.include(`(pid ${process.pid})`);
      expect(error?.hint).to.include(join(DATA, 'lock'));
    } finally {
      await theirs.release();
      rmSync(stage().path(DATA), {recursive: true});
    }
    await expectJoinedAndLeft();
  });

  it('but does without tools that not every system has', async () => {
    const rare = [
      'mktemp',
      'base64',
      'xxd',
      'sha256sum',
      'od',
      'timeout',
      'getent',
      'realpath',
      'tac',
      'perl',
    ];
    const script = `mkdir /run/tools; mount --bind /usr/bin /run/tools; mount -t tmpfs -o mode=755 few /usr/bin
      cd /run/tools; PATH=$PATH:/run/tools; for tool in *; do ln -s "/run/tools/$tool" /usr/bin; done
      cd /usr/bin; rm -f ${rare.join(' ')} python3*; [ -L /bin ] || mount --bind /usr/bin /bin`;
    stage().space.run('sh', '-ec', script);
    try {
      const there = stage().space.run('sh', '-c', `command -v ${rare.join(' ')} || :`);
      expect(there).to.equal('');
      await expectJoinedAndLeft();
    } finally {
      stage().space.run('umount', '-l', '/usr/bin');
      stage().space.run('umount', '-l', '/run/tools');
    }
  });
});
