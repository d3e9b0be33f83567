// The power goes at every operation of a real renewal, and again inside the recovery: the host is as before, to the
// byte, or renewed, and sshd serves accordingly.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {failure} from '../support/cluster-client.js';
import {type CrashingHost, deathsOf} from '../support/crashing-host.js';
import {JoinScene} from '../support/join-scene.js';
import type {Leaf} from '../support/tree.js';

type Look = Awaited<ReturnType<JoinScene['look']>>;

describe('a real renewal whose host dies', function () {
  this.timeout(240_000);
  let scene: JoinScene;
  let operations: CrashingHost['operations'];
  let unrenewed: Look;
  let done: Look;
  /** Number of the first operation on the host itself; those before it are the rehearsal's. */
  let first: number;

  // What a renewal may have to do at once: certificates, the user CA file, its own credential, the authorities.
  before(async () => {
    scene = await JoinScene.set({cluster: {lag: false, limits: false}});
    await scene.join(scene.host());
    const {cluster} = scene.stage;
    await cluster.rotate('openssh', 'init');
    await cluster.rotate('host', 'init');
    await cluster.rotate('host', 'update_clients');
    unrenewed = await scene.look();
    scene.keep();
    const host = scene.host();
    expect((await scene.renew(host)).changed).to.equal(true);
    ({operations} = host);
    first = operations.findIndex(({what}) => what.startsWith(scene.stage.root)) + 1;
    done = await scene.look();
    await scene.back();
    expect(await scene.look()).to.deep.equal(unrenewed);
  });
  after(() => scene.stop());

  const nameOf = (number: number) => {
    const {kind, what} = operations[number - 1] ?? {kind: '', what: ''};
    return `operation ${number} of ${operations.length}: ${kind} ${what}`;
  };

  async function dieAt(number: number, turn: number): Promise<boolean> {
    const deaths = deathsOf(operations[number - 1] ?? {kind: 'run', what: ''});
    const host = scene.host({at: number, die: deaths[turn % deaths.length] ?? 'before'});
    await scene.renew(host).catch(() => undefined);
    return host.dead;
  }

  /** Puts the host back where that is needed for the next round. */
  async function expectWhole(what: string): Promise<'before' | 'renewed'> {
    const now = await scene.look();
    if (now.data['record.json']?.content === unrenewed.data['record.json']?.content) {
      expect(now, what).to.deep.equal(unrenewed);
      return 'before';
    }
    expect(shape(now), what).to.deep.equal(shape(done));
    expect(servedFiles(scene), `${what}: sshd serves what lies there`).to.satisfy(
      (files: readonly string[]) => files.every((line) => now.served.includes(line)),
    );
    expect((await scene.renew(scene.host())).changed, `${what}: nothing is left to do`).to.equal(false);
    await scene.back();
    return 'renewed';
  }

  it('is as before or renewed, whichever operation it was', async () => {
    expect(first).to.be.greaterThan(5);
    const changedFiles = Object.keys(done.etc).filter(
      (name) => done.etc[name]?.content !== unrenewed.etc[name]?.content,
    );
    expect(changedFiles).to.have.length(3);
    const seen = {before: 0, renewed: 0};
    for (let number = first; number <= operations.length; number += 1) {
      // The lines of the journal are many and alike; the plan's own tests cut each of them.
      if (operations[number - 1]?.kind === 'append' && number % 3 !== 0) continue;
      expect(await dieAt(number, number), nameOf(number)).to.equal(true);
      const outcome = await scene.recover();
      seen[await expectWhole(`${nameOf(number)}, ${outcome}`)] += 1;
      expect(await scene.recover(), nameOf(number)).to.equal('nothing');
    }
    // Far more of it comes before the commit than after.
    expect(seen.before).to.be.greaterThan(10);
    expect(seen.renewed).to.be.greaterThan(0);
  });

  it('is as before when the recovery dies as well', async () => {
    const reload = operations.findLastIndex(({kind}) => kind === 'run') + 1;
    expect(reload).to.be.greaterThan(first);
    let finished = false;
    for (let number = 1; !finished; number += 3) {
      await dieAt(reload, 1);
      const host = scene.host({at: number, die: 'after'});
      await scene.recover(host).catch(() => undefined);
      finished = !host.dead;
      await scene.recover();
      expect(await expectWhole(`recovery cut at ${number}`)).to.equal('before');
    }
  });

  it('keeps its record when it dies right after that was written, and is not told to delete it', async () => {
    const {cluster} = scene.stage;
    const [{id} = {id: ''}] = cluster.nodes();
    cluster.removeNode(id);
    const commit = operations.findLastIndex(({kind}) => kind === 'append') + 1;
    // Registering is noted first, which is one line more.
    await dieAt(commit + 1, 0);
    expect(cluster.nodes().map((node) => node.id)).to.deep.equal([id]);
    scene.warnings.length = 0;
    expect((await scene.renew(scene.host())).changed).to.equal(true);
    expect(scene.warnings.join('\n')).to.match(/an interrupted run \(renew, .*\) was undone/);
    expect(scene.warnings.join('\n')).to.not.match(/tctl rm/);
    expect(cluster.nodes().map((node) => node.id)).to.deep.equal([id]);
    await scene.back();
  });

  it('does nothing on a host that has left while the plan was being made, also where only a record is to be written', async () => {
    expect((await scene.renew(scene.host())).changed).to.equal(true);
    const {cluster} = scene.stage;
    for (const {id} of cluster.nodes()) cluster.removeNode(id);
    const host = scene.host();
    let leaving: Promise<unknown> | undefined;
    const lock = host.lock.bind(host);
    host.lock = async (path) => {
      leaving ??= scene.leave(scene.host());
      await leaving;
      return lock(path);
    };
    const {code, message} = await failure(scene.renew(host));
    expect([code, message]).to.deep.equal([
      'HOST_UNSUITABLE',
      'another agentless has changed this host while the plan was being made',
    ]);
    expect(await scene.differences()).to.deep.equal([]);
    expect(cluster.nodes()).to.deep.equal([]);
    await scene.join(scene.host());
  });
});

/** What every renewed host has in common: not what was signed anew, nor the times, nor the record. */
function shape({etc, data, served}: Look) {
  const bare = (tree: Record<string, Leaf>) =>
    Object.entries(tree).map(([name, {mtime: _, content, ...leaf}]) =>
      /cert|record\.json|saved/.test(name) ? [name.replace(/\d+-/, ''), leaf] : [name, {...leaf, content}],
    );
  return {etc: bare(etc), data: bare(data), served: served.length};
}

/** Types and keys of the certificates that lie on the host. */
function servedFiles({stage}: JoinScene): string[] {
  return ['ed25519', 'ecdsa'].map((type) =>
    readFileSync(join(stage.root, `etc/agentless/ssh_host_${type}_key-cert.pub`), 'latin1').trim(),
  );
}
