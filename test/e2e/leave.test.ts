// Join and then leave: the whole tree is as it was, sshd serves what it served, and the cluster knows nothing of it.

import {existsSync} from 'node:fs';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {servedKeys} from '../support/served-keys.js';
import {Stage} from '../support/stage.js';

describe('leave, end to end', function () {
  this.timeout(60_000);
  let stage: Stage;
  let before: Awaited<ReturnType<Stage['host']>>;
  beforeEach(async () => {
    stage = await Stage.start();
    before = await stage.host();
  });
  afterEach(() => stage.stop());

  it('leaves the host as it was before the join', async () => {
    const keys = await servedKeys(stage.sshd.port);
    expect((await stage.join()).status).to.equal(0);
    const dry = await agentless(['leave', '--data-dir', stage.dataDir, '--dry-run']);
    console.log(dry.stderr, dry.stdout);
    const result = await agentless(['leave', '--data-dir', stage.dataDir]);
    console.log(result.stderr, result.stdout);
    expect(result.status).to.equal(0);
    expect(await stage.host()).to.deep.equal(before);
    expect(existsSync(stage.dataDir)).to.equal(false);
    expect(stage.cluster.nodes()).to.deep.equal([]);
    expect(await servedKeys(stage.sshd.port)).to.deep.equal(keys);
  });
});
