// A host leaves whatever has become of its cluster or its identity; a node record that stays is named.

import {createPublicKey} from 'node:crypto';
import {readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import {tlsIssuer} from '../../src/devcluster/authority.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {StateDirectory} from '../../src/devcluster/state-directory.js';
import {issueLeaf} from '../../src/devcluster/x509.js';
import {joined} from '../support/cluster-client.js';
import {temporaryCluster} from '../support/dev-cluster.js';
import {type Envelope, Stage} from '../support/stage.js';

describe('leave and the cluster', function () {
  this.timeout(60_000);
  const hooks: Partial<ClusterOptions> = {};
  let stage: Stage;
  let before: Awaited<ReturnType<Stage['host']>>;
  let id: string;

  beforeEach(async () => {
    stage = await Stage.quick({cluster: hooks});
    before = await stage.host();
  });
  afterEach(async () => {
    hooks.testOnlyCall = undefined;
    await stage.stop();
  });

  const joinNow = async (words: readonly string[] = []): Promise<void> => {
    const {exit, result, stderr} = await stage.joinJson(words);
    expect(exit, stderr).to.equal(0);
    id = result.node.id;
  };

  /** The host has left; true when the record is gone as well. */
  async function left(words: readonly string[] = []): Promise<Envelope> {
    const answer = await stage.leaveJson(words);
    expect(answer.exit, JSON.stringify(answer)).to.equal(0);
    expect(answer.changed).to.equal(true);
    expect(await stage.host()).to.deep.equal(before);
    return answer;
  }

  async function expectRecordStays(says: RegExp, words: readonly string[] = []): Promise<void> {
    const {warnings, result} = await left(words);
    expect(warnings.join('\n')).to.match(says).and.to.include(`tctl rm node/${id}`);
    expect(result.node).to.deep.equal({id, hostname: 'web1', removed: false});
  }

  it('that is not asked (--local)', async () => {
    await joinNow();
    const asked = {...stage.cluster.stats.requests};
    await expectRecordStays(/the node record stays: .*--local/, ['--local']);
    expect(stage.cluster.stats.requests).to.deep.equal(asked);
    expect(stage.cluster.nodes()).to.have.length(1);
  });

  it('that cannot be reached', async () => {
    await joinNow();
    await stage.cluster.close();
    await expectRecordStays(/the node record stays: /, ['--timeout', '2']);
  });

  it('that is gone when the record is to be deleted', async () => {
    await joinNow();
    hooks.testOnlyCall = (name) => (name.endsWith('/DeleteNode') ? 'close' : undefined);
    await expectRecordStays(/the node record stays: /, ['--timeout', '2']);
    expect(stage.cluster.nodes()).to.have.length(1);
  });

  it('that does not let the host delete its record', async () => {
    await joinNow();
    hooks.testOnlyCall = (name) =>
      name.endsWith('/DeleteNode') ? {code: Code.PermissionDenied, message: 'no'} : undefined;
    await expectRecordStays(/does not allow this host to remove a node/);
  });

  it('that has locked this host', async () => {
    await joinNow();
    stage.cluster.lock(id, 'stolen');
    await expectRecordStays(/the node record stays: /);
  });

  it('that no longer accepts the identity', async () => {
    await joinNow();
    await using other = await temporaryCluster();
    const {identity} = await joined(other);
    writeFileSync(join(stage.dataDir, 'identity/cert.pem'), identity.certificate);
    writeFileSync(join(stage.dataDir, 'identity/key.pem'), identity.key.reveal());
    await expectRecordStays(/the cluster no longer accepts this identity/);
  });

  it('with an identity that has expired', async () => {
    await joinNow();
    const key = join(stage.dataDir, 'identity/key.pem');
    const {authorities, name} = new StateDirectory(dirname(stage.cluster.caFile)).requireCluster();
    const expired = issueLeaf(tlsIssuer(authorities.host), {
      subject: [
        ['organization', 'Node'],
        ['commonName', `${id}.${name}`],
      ],
      publicKey: createPublicKey(readFileSync(key, 'utf8')),
      names: [],
      validFrom: new Date(Date.now() - 2_000_000),
      validTo: new Date(Date.now() - 1_000_000),
    });
    writeFileSync(join(stage.dataDir, 'identity/cert.pem'), expired);
    await expectRecordStays(/the cluster no longer accepts this identity/);
  });

  for (const [what, spoil, says] of [
    ['missing', (path: string) => rmSync(path), /identity of this node is missing/],
    ['damaged', (path: string) => writeFileSync(path, 'PEM?'), /identity of this node at \S+ is damaged/],
  ] as const) {
    it(`with an identity that is ${what}`, async () => {
      await joinNow();
      spoil(join(stage.dataDir, 'identity/key.pem'));
      await expectRecordStays(says);
    });
  }

  it('that has lost the record already: fine', async () => {
    await joinNow();
    stage.cluster.removeNode(id);
    const {warnings} = await left();
    expect(warnings).to.deep.equal([]);
  });

  it('that never had one (join --no-register)', async () => {
    await joinNow(['--no-register']);
    const {warnings, result} = await left();
    expect([warnings, result.node.removed]).to.deep.equal([[], false]);
  });

  it('with a host that has another name now: the record may be that of the original', async () => {
    const path = join(stage.dataDir, 'record.json');
    const rename = () =>
      writeFileSync(path, readFileSync(path, 'utf8').replace(/"host": ".*"/, '"host": "old1"'));
    await joinNow();
    rename();
    await expectRecordStays(/this host joined as old1 and is \S+ now/);
    expect(stage.cluster.nodes()).to.have.length(1);
    await joinNow(['--yes']);
    rename();
    const {result, warnings} = await left(['--yes']);
    expect(result.node.removed).to.equal(true);
    expect(warnings.join('\n')).to.include('this host joined as old1');
    expect(stage.cluster.nodes()).to.deep.equal([]);
  });
});
