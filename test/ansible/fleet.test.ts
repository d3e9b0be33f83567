// Fifty hosts in one play. Run by `npm run test:matrix -- ansible`; FLEET is another number of them.

import {readFileSync, writeFileSync} from 'node:fs';
import {expect} from 'chai';
import {ansibleProgram, type Played, WITHOUT_ANSIBLE} from '../support/ansible.js';
import {Fleet} from '../support/fleet.js';
import {skip} from '../support/skip.js';

const SIZE = Number(process.env['FLEET'] ?? 50);
const FORKS = 8;

describe(`a fleet of ${SIZE} hosts`, function () {
  this.timeout(1_800_000);
  let fleet: Fleet;
  let first: Awaited<ReturnType<Fleet['trees']>>;
  const broken = `web${Math.ceil(SIZE * 0.7)}`;

  before(async function () {
    if (ansibleProgram('ansible-playbook') === undefined) skip(this, WITHOUT_ANSIBLE);
    fleet = await Fleet.start(SIZE);
    first = await fleet.trees();
  });
  after(() => fleet?.stop());

  const play = (words: readonly string[] = [], state = 'present') =>
    fleet.play({agentless_identity: fleet.identity, agentless_state: state}, {words, forks: FORKS});
  const changed = ({hosts}: Played) =>
    [...hosts].filter(([, tally]) => tally.changed > 0).map(([name]) => name);
  const failed = ({hosts}: Played) =>
    [...hosts].filter(([, tally]) => tally.failed > 0).map(([name]) => name);

  it('is looked at, and nothing is changed', async () => {
    const played = await play(['--check', '--diff']);
    expect([played.status, changed(played).length], played.output).to.deep.equal([0, SIZE]);
    expect(await fleet.trees()).to.deep.equal(first);
  });

  it('joins, but for a host that could not serve a certificate, which is untouched', async () => {
    const {config} = fleet.hosts.find(({name}) => name === broken)?.sshd ?? {config: ''};
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, `HostKeyAlgorithms ssh-ed25519\n${text}`);
    const worse = (await fleet.trees())[broken];
    const played = await play();
    expect([played.status, failed(played), changed(played).length], played.output).to.deep.equal([
      2,
      [broken],
      SIZE - 1,
    ]);
    expect((await fleet.trees())[broken]).to.deep.equal(worse);
    expect(fleet.nodes)
      .to.have.length(SIZE - 1)
      .and.to.not.include(broken);
    writeFileSync(config, text);
    // Its time is another now.
    first = {...first, [broken]: (await fleet.trees())[broken] ?? {}};
  });

  it('is completed by the next run, which changes that host alone', async () => {
    const played = await play();
    expect([played.status, changed(played)], played.output).to.deep.equal([0, [broken]]);
    expect(fleet.nodes).to.have.length(SIZE);
  });

  it('is unchanged by one more run', async () => {
    const joined = await fleet.trees();
    const played = await play();
    expect([played.status, changed(played)], played.output).to.deep.equal([0, []]);
    expect(await fleet.trees()).to.deep.equal(joined);
    expect(fleet.joins, 'no token was ever made').to.equal(0);
  });

  it('leaves, each host byte for byte as it was', async () => {
    const played = await play([], 'absent');
    expect([played.status, changed(played).length], played.output).to.deep.equal([0, SIZE]);
    expect(await fleet.trees()).to.deep.equal(first);
    expect(fleet.nodes).to.deep.equal([]);
  });
});
