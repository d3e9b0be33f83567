import {expect} from 'chai';
import {type CloudTags, cloudTags} from '../../src/cluster/cloud/tags.js';
import {LocalHost} from '../../src/host/local.js';
import {
  azure,
  type Cloud,
  ec2,
  GCP_TOKEN,
  type GcpMachine,
  gcp,
  NO_CLOUD,
  silence,
} from '../support/clouds.js';
import {failure} from '../support/cluster-client.js';

// Tags from the metadata services of the three clouds, over real sockets that the host port has opened.

const host = new LocalHost();
const ask = (env: Readonly<Record<string, string>>): Promise<CloudTags> =>
  cloudTags({env, dial: (address, port, signal) => host.dial(address, port, {signal})});
const tagsOf = async (cloud: Cloud) => Object.fromEntries((await ask(cloud.env)).pairs);

describe('tags of a cloud', () => {
  it('of EC2 come by a session, under aws/', async () => {
    await using cloud = await ec2({env: 'prod', 'a.b:c_d-e': '', team: '$(x) "y" ü'});
    expect(await ask(cloud.env)).to.deep.equal({
      cloud: 'EC2',
      pairs: [
        ['aws/env', 'prod'],
        ['aws/a.b:c_d-e', ''],
        ['aws/team', '$(x) "y" ü'],
      ],
      skipped: [],
      notes: [],
    });
    expect(cloud.asked[0]).to.equal('PUT /latest/api/token');
  });

  it('of EC2 in any number are all asked for, in one session', async () => {
    const tags = Object.fromEntries(Array.from({length: 50}, (_, index) => [`t${index}`, `v${index}`]));
    await using cloud = await ec2(tags);
    expect(Object.keys(await tagsOf(cloud))).to.have.length(50);
    expect(cloud.asked.filter((line) => line.startsWith('PUT'))).to.have.length(1);
  });

  it('of EC2 that are not allowed in the metadata are missed, with the command that allows them', async () => {
    await using cloud = await ec2(undefined);
    const {pairs, notes} = await ask(cloud.env);
    expect(pairs).to.deep.equal([]);
    expect(notes).to.have.length(1);
    expect(notes[0]).to.contain('--instance-metadata-tags enabled');
  });

  const astray = [
    '../../iam/security-credentials/web',
    'a/./b',
    'a//b',
    '..',
    'two words',
    'q?x=1',
    '%2e%2e/x',
  ];
  for (const name of astray) {
    it(`of EC2 whose name would lead elsewhere are not asked for: ${name}`, async () => {
      await using cloud = await ec2({env: 'prod', [name]: 'x'});
      const {pairs, skipped} = await ask(cloud.env);
      expect(pairs).to.deep.equal([['aws/env', 'prod']]);
      expect(skipped).to.deep.equal([`aws/${name}`]);
      const below = cloud.asked.filter((line) => line.startsWith('GET /latest/meta-data/')).slice(2);
      expect(below).to.deep.equal(['GET /latest/meta-data/tags/instance/env']);
    });
  }

  it('of GCP are its labels, read by its own service account, under gcp/label/', async () => {
    await using cloud = await gcp({labels: {env: 'prod', team: 'web'}});
    const answer = await ask(cloud.env);
    expect(answer).to.deep.include({cloud: 'GCP', notes: []});
    expect(answer.pairs).to.deep.equal([
      ['gcp/label/env', 'prod'],
      ['gcp/label/team', 'web'],
    ]);
    expect(JSON.stringify(answer)).not.to.contain(GCP_TOKEN);
  });

  it('of GCP include its attribute for that, and no other attribute', async () => {
    const attributes = {
      'agentless-labels': 'env=prod\nrole="a b"\n',
      'startup-script': 'x=y',
      'ssh-keys': 'k=v',
    };
    await using cloud = await gcp({labels: {a: 'b'}, attributes});
    expect(await tagsOf(cloud)).to.deep.equal({'gcp/label/a': 'b', env: 'prod', role: 'a b'});
  });

  const unreadable: readonly (readonly [string, GcpMachine, RegExp])[] = [
    ['whose account may not', {refusal: 403}, /status 403/],
    ['without an account', {account: false}, /no service account/],
  ];
  for (const [what, machine, said] of unreadable) {
    it(`of a GCP machine ${what} cannot be read, which is said with what helps`, async () => {
      await using cloud = await gcp(machine);
      const error = await failure(ask(cloud.env));
      expect(error).to.include({code: 'HOST_UNSUITABLE', exitCode: 6});
      expect(error.detail).to.match(said);
      expect(error.hint).to.match(/compute\.instances\.get.*agentless-labels/);
    });

    it(`of a GCP machine ${what} are those of the attribute, with a note`, async () => {
      await using cloud = await gcp({...machine, attributes: {'agentless-labels': '{"env": "prod"}'}});
      const {pairs, notes} = await ask(cloud.env);
      expect(pairs).to.deep.equal([['env', 'prod']]);
      expect(notes[0]).to.match(said);
    });
  }

  it('of Azure are its list, under azure/', async () => {
    await using cloud = await azure([
      {name: 'env', value: 'prod'},
      {name: 'Cost Center', value: '1'},
      {name: 3},
      null,
    ]);
    expect(await ask(cloud.env)).to.deep.equal({
      cloud: 'Azure',
      pairs: [
        ['azure/env', 'prod'],
        ['azure/Cost Center', '1'],
      ],
      skipped: [],
      notes: [],
    });
  });

  it('are missed where no cloud answers, and each is named with why', async () => {
    const error = await failure(ask(NO_CLOUD));
    expect(error).to.include({code: 'HOST_UNSUITABLE', exitCode: 6});
    expect(error.detail).to.match(/^EC2: .*ECONNREFUSED.*\nGCP: .*ECONNREFUSED.*\nAzure: .*ECONNREFUSED/);
    expect(error.hint).to.contain('--labels');
  });

  it('are waited for no longer than three seconds, all clouds together', async () => {
    await using cloud = await silence();
    const start = performance.now();
    const error = await failure(ask(cloud.env));
    expect(performance.now() - start).to.be.within(1500, 3000);
    expect(error.detail?.match(/ETIMEDOUT/g)).to.have.length(3);
  });

  it('are not taken from something else that answers there', async () => {
    const odd = [{}, {error: 'x'}, 'text'];
    for (const answer of odd) {
      await using cloud = await azure(answer);
      expect(await failure(ask(cloud.env))).to.include({code: 'HOST_UNSUITABLE'});
    }
  });
});
