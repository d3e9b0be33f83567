import type {KeyObject} from 'node:crypto';
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Identity} from '../../../src/cluster/cluster.js';
import {issueAuthority} from '../../../src/devcluster/x509.js';
import {Secret} from '../../../src/errors.js';
import {identityPaths} from '../../../src/operations/changes.js';
import {readOwnership} from '../../../src/operations/ownership.js';
import type {JoinSettings} from '../../../src/operations/settings.js';
import {apply} from '../../../src/plan/plan.js';
import {generateKey} from '../../../src/ssh/key.js';
import {failure} from '../../support/cluster-client.js';
import {CrashingHost} from '../../support/crashing-host.js';
import {PrivateHost} from '../../support/private-host.js';

const SETTINGS: JoinSettings = {
  cluster: 'example.com',
  proxy: 'proxy:443',
  nodeId: 'an-id',
  hostname: 'web1',
  address: '10.0.0.5:22',
  labels: {},
  additionalPrincipals: [],
  config: '/etc/ssh/sshd_config',
  registered: true,
};

const KEY = generateKey('p256');
const pem = (key: KeyObject) => issueAuthority({key, name: [['commonName', 'somebody']]}, new Date());

const IDENTITY: Identity = {
  cluster: 'example.com',
  nodeId: 'an-id',
  key: new Secret(KEY.export({type: 'pkcs8', format: 'pem'}).toString()),
  certificate: pem(KEY),
  authorities: [pem(generateKey('p256')), pem(generateKey('p256'))],
};

describe('what an earlier join has left', () => {
  let box: PrivateHost;
  let said: string[];
  beforeEach(() => {
    box = new PrivateHost();
    said = [];
  });
  afterEach(() => box[Symbol.dispose]());

  const read = () => {
    const report = {heading: () => {}, step: () => {}, warn: (text: string) => said.push(text)};
    return readOwnership(box.host, box.dataDir, report);
  };

  /** Writes what a join writes, with these settings. */
  function joinWith(settings: object, host = new CrashingHost(box.host), note: Record<string, string> = {}) {
    const [directory, key, certificate, authorities] = identityPaths(box.dataDir);
    const file = (path: string, text: string) =>
      ({
        kind: 'path',
        path,
        to: {kind: 'file', bytes: Buffer.from(text), mode: 0o600, secret: true},
        why: '',
      }) as const;
    const steps = [
      {kind: 'path', path: directory, to: {kind: 'directory', mode: 0o700}, why: ''} as const,
      file(key, IDENTITY.key.reveal()),
      file(certificate, IDENTITY.certificate),
      file(authorities, IDENTITY.authorities.join('')),
    ];
    return apply(host, steps, {
      dataDir: box.dataDir,
      operation: 'join openssh',
      settings: {...settings},
      beforeCommit: async (write) => {
        if (Object.keys(note).length > 0) await write(note);
        if ('registering' in note) throw new Error('the power is gone');
      },
    });
  }

  it('is nothing on a host that is not joined, and nothing is made there', async () => {
    expect(await read()).to.equal(undefined);
    expect(await box.host.look(box.dataDir)).to.equal(undefined);
    expect(said).to.deep.equal([]);
  });

  it('is its settings, its identity and its files', async () => {
    await joinWith(SETTINGS);
    const owned = await read();
    expect(owned?.settings).to.deep.equal(SETTINGS);
    const identity = owned?.identity;
    if (identity === undefined || identity === 'absent') expect.fail('it keeps a credential');
    expect(identity.key.reveal()).to.equal(IDENTITY.key.reveal());
    expect({...identity, key: IDENTITY.key}).to.deep.equal(IDENTITY);
    expect(owned?.files).to.include.members([...identityPaths(box.dataDir)]);
    expect(owned?.since).to.match(/^\d{4}-\d\d-\d\dT/);
    expect(said).to.deep.equal([]);
  });

  it('may be without a credential, where that was wished; what else is said of it is not understood', async () => {
    await joinWith({...SETTINGS, identity: 'discarded'});
    for (const path of identityPaths(box.dataDir).slice(1)) rmSync(path);
    const owned = await read();
    expect([owned?.identity, owned?.settings.identity]).to.deep.equal(['absent', 'discarded']);
    await joinWith({...SETTINGS, identity: 'elsewhere'});
    expect(await failure(read())).to.include({code: 'HOST_UNSUITABLE'});
  });

  it('is refused where it is not what a join writes', async () => {
    await joinWith({something: 'else'});
    const {code, message, hint} = await failure(read());
    expect(code).to.equal('HOST_UNSUITABLE');
    expect(message).to.match(/says nothing about a join$/);
    expect(hint).to.contain('nothing was changed');
  });

  it('is refused where a part of the identity is missing', async () => {
    await joinWith(SETTINGS);
    for (const path of identityPaths(box.dataDir).slice(1)) {
      await box.host.copy(path, join(box.root, 'aside'));
      rmSync(path);
      const {code, message, hint} = await failure(read());
      expect(code).to.equal('HOST_UNSUITABLE');
      expect(message).to.match(/^the identity of this node is missing from \S+\/identity$/);
      expect(hint).to.contain('backup');
      await box.host.copy(join(box.root, 'aside'), path);
    }
    expect(await read()).to.have.property('settings');
  });

  it('is said to have been undone where it was interrupted, with the record it may have left', async () => {
    const note = {registering: 'an-id'};
    const whole = new CrashingHost(box.host);
    await joinWith(SETTINGS, whole, note).catch(() => undefined);
    // The first removal is the undoing of what has failed: there the power goes.
    const at = whole.operations.findIndex(({kind}) => kind === 'remove') + 1;
    const host = new CrashingHost(box.host, {at, die: 'before'});
    await joinWith(SETTINGS, host, note).catch(() => undefined);
    expect(host.dead).to.equal(true);
    expect(await read()).to.equal(undefined);
    expect(said[0]).to.match(/^an interrupted run \(join openssh, \d{4}-.*\) was undone$/);
    expect(said.join('\n')).to.contain('tctl rm node/an-id');
    expect(await box.host.look(join(box.dataDir, 'identity'))).to.equal(undefined);
  });

  it('does not have its own record taken out where a later run was interrupted', async () => {
    await joinWith(SETTINGS);
    rmSync(identityPaths(box.dataDir)[3]);
    const note = {registering: 'an-id'};
    const whole = new CrashingHost(box.host);
    await joinWith(SETTINGS, whole, note).catch(() => undefined);
    const at = whole.operations.findIndex(({kind}) => kind === 'remove') + 1;
    await joinWith(SETTINGS, new CrashingHost(box.host, {at, die: 'before'}), note).catch(() => undefined);
    await failure(read());
    expect(said.join('\n')).to.match(/was undone$/);
    expect(said.join('\n')).to.not.contain('tctl rm');
  });
});
