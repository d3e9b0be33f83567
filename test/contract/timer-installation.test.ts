// What a timer on another host would call, as it is found there.

import {chmodSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Failure} from '../../src/errors.js';
import {RemoteHost} from '../../src/host/remote/remote-host.js';
import {installationOn} from '../../src/operations/timer/installation.js';
import {PROGRAM} from '../support/cli.js';
import {useTarget} from '../support/remote-target.js';

describe('the agentless of a host that is reached over ssh', () => {
  const target = useTarget((directory) => [`SetEnv PATH=${join(directory, 'bin')}:/usr/bin:/bin`]);
  const bin = () => join(target().directory, 'bin');

  beforeEach(() => mkdirSync(bin()));
  afterEach(() => rmSync(bin(), {recursive: true}));

  async function found() {
    const host = await RemoteHost.open(target().options);
    const installation = await installationOn(host).catch((error: Failure) => error);
    await host.close();
    return installation;
  }

  it('is the one on PATH, with its node', async () => {
    const node = realpathSync(process.execPath);
    symlinkSync(node, join(bin(), 'node'));
    symlinkSync(PROGRAM, join(bin(), 'agentless'));
    expect(await found()).to.deep.include({node, options: [], script: join(bin(), 'agentless')});
  });

  it('is missed where there is none', async () => {
    expect(await found())
      .to.include({code: 'HOST_UNSUITABLE'})
      .and.property('message')
      .includes('no agentless on');
  });

  it('is refused where it does not run, in its own words', async () => {
    symlinkSync(realpathSync(process.execPath), join(bin(), 'node'));
    const path = join(bin(), 'agentless');
    writeFileSync(path, 'throw new Error("half an installation")');
    chmodSync(path, 0o755);
    const failure = await found();
    expect(failure).to.include({code: 'HOST_UNSUITABLE'}).and.property('message').includes('does not run');
    expect(failure).to.have.property('detail').that.includes('half an installation');
  });
});
