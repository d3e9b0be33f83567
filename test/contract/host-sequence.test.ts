// Changes that are sent ahead of their answers: in order, none after one that has failed, and the first failure is told.

import {existsSync, mkdirSync, readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {RemoteHost} from '../../src/host/remote/remote-host.js';
import {apply} from '../../src/plan/plan.js';
import type {PathStep} from '../../src/plan/step.js';
import {type Forwarder, startForwarder} from '../support/forwarder.js';
import {useTarget} from '../support/remote-target.js';

describe('changes in a row on a host that is reached over ssh', function () {
  this.timeout(60_000);
  const target = useTarget();
  let host: RemoteHost;
  let place: string;

  beforeEach(async () => {
    place = join(target().directory, 'place');
    mkdirSync(place);
    host = await RemoteHost.open(target().options);
  });

  afterEach(async () => {
    await host.close();
    rmSync(place, {recursive: true, force: true});
  });

  const at = (name: string) => join(place, name);

  it('are made in order, and reading waits for them', async () => {
    const {host: row, reached, isAhead} = host.sequence();
    expect(isAhead).to.equal(true);
    await row.makeDirectory(at('d'), {mode: 0o750});
    await row.write(at('d/f'), Buffer.from('one'));
    await row.append(at('d/f'), ' two');
    await row.copy(at('d/f'), at('d/g'));
    await row.remove(at('d/f'));
    expect(await row.look(at('d'))).to.include({kind: 'directory', mode: 0o750});
    expect(await row.look(at('d/f'))).to.equal(undefined);
    await row.write(at('d/h'), Buffer.from('three'));
    const {stdout} = await row.run(['cat', at('d/g'), at('d/h')]);
    expect(stdout).to.equal('one twothree');
    await reached();
  });

  it('end with the first that fails, and nothing after it is done', async () => {
    const {host: row, reached} = host.sequence();
    await row.write(at('before'), Buffer.from('x'));
    await row.write(at('missing/file'), Buffer.from('x'));
    await row.write(at('after'), Buffer.from('x'));
    await row.remove(at('before'));
    const running = row.run(['touch', at('run')]);
    const failure = await running.catch((error: unknown) => error);
    expect(failure).to.include({code: 'ENOENT', path: at('missing/file')});
    const asked = await Promise.allSettled([
      reached(),
      row.look(at('before')),
      row.lock(at('lock')),
      row.resolve(place),
    ]);
    for (const one of asked) expect(one).to.deep.include({status: 'rejected', reason: failure});
    expect(['before', 'after', 'run', 'lock'].filter((name) => existsSync(at(name)))).to.deep.equal([
      'before',
    ]);
    // The host itself, and a new sequence, know nothing of it.
    await host.write(at('after'), Buffer.from('y'));
    expect((await host.run(['true'])).status).to.equal(0);
    const next = host.sequence();
    await next.host.write(at('next'), Buffer.from('z'));
    await next.reached();
    expect(readFileSync(at('next'), 'utf8')).to.equal('z');
  });

  it('are not stopped by a program that fails: its caller sees that', async () => {
    const {host: row, reached} = host.sequence();
    expect((await row.run(['false'])).status).to.equal(1);
    await row.write(at('after'), Buffer.from('x'));
    await reached();
    expect(existsSync(at('after'))).to.equal(true);
  });

  const file = (name: string): PathStep => ({
    kind: 'path',
    path: at(name),
    to: {kind: 'file', bytes: Buffer.from(name), mode: 0o600},
    why: 'test',
  });

  it('tell which step of a plan has failed, and all is undone', async () => {
    const options = {dataDir: at('data'), operation: 'test'};
    const steps = [file('one'), file('missing/two'), file('three')];
    const failure = await apply(host, steps, options).catch((error: unknown) => error);
    expect(failure).to.include({
      code: 'CHANGE_FAILED',
      message: `cannot change ${at('missing/two')}: no such file or directory`,
      restored: true,
    });
    expect(await host.look(place))
      .to.include({kind: 'directory'})
      .and.have.property('names').that.is.empty;
  });

  it('cost a plan no more round trips when it has more steps', async () => {
    const costs: number[] = [];
    for (const count of [2, 30]) {
      const link: Forwarder = await startForwarder({target: `127.0.0.1:${target().sshd.port}`, rtt: 40});
      const destination = {...target().options.destination, port: link.port};
      const far = await RemoteHost.open({...target().options, destination});
      const before = link.roundTrips;
      const steps = Array.from({length: count}, (_, index) => file(`${count}-${index}`));
      await apply(far, steps, {dataDir: at('data'), operation: 'test'});
      costs.push(link.roundTrips - before);
      await far.close();
      await link.close();
    }
    const [few = 0, many = 0] = costs;
    // A large answer may come in two parts.
    expect(many, `${few} for two steps`).to.be.below(few + 6);
  });
});
