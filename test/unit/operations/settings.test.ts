import {expect} from 'chai';
import {Failure} from '../../../src/errors.js';
import type {HostFacts} from '../../../src/host/facts.js';
import {
  addressWarning,
  draft,
  type JoinSettings,
  type JoinWish,
  readSettings,
} from '../../../src/operations/settings.js';
import {PrivateHost} from '../../support/private-host.js';

const WISH: JoinWish = {
  config: '/etc/ssh/sshd_config',
  dataDir: '/var/lib/agentless',
  register: true,
  reload: true,
  proveLogins: [],
  dryRun: false,
  replace: false,
};

const STORED: JoinSettings = {
  cluster: 'example.com',
  proxy: 'proxy:443',
  nodeId: 'an-id',
  hostname: 'stored',
  address: '10.0.0.5:22',
  labels: {env: 'prod'},
  additionalPrincipals: ['db1'],
  config: '/etc/ssh/sshd_config',
  registered: true,
};

describe('what a join is about', () => {
  let facts: HostFacts;
  before(async () => {
    using box = new PrivateHost();
    box.configure([box.key('key')], 'Port 2222');
    facts = await box.look();
  });
  const of = (wish: Partial<JoinWish>, stored?: JoinSettings, hostname = 'web1') =>
    draft({...WISH, ...wish}, stored, {...facts, probe: {...facts.probe, hostname}});

  it('is this host under its own name where nothing was said', () => {
    expect(of({})).to.deep.equal({
      hostname: 'web1',
      address: undefined,
      labels: {},
      additionalPrincipals: [],
    });
  });

  it('is as before where nothing is said again', () => {
    expect(of({}, STORED)).to.deep.equal({
      hostname: 'stored',
      address: '10.0.0.5:22',
      labels: {env: 'prod'},
      additionalPrincipals: ['db1'],
    });
  });

  it('is what is said now, even when that is nothing', () => {
    const wish = {hostname: 'new', address: 'new.example.com:1', labels: {}, additionalPrincipals: []};
    expect(of(wish, STORED)).to.deep.equal(wish);
  });

  it("has sshd's real port where an address has none", () => {
    expect(of({address: '10.0.0.9'}).address).to.equal('10.0.0.9:2222');
    expect(of({address: '2001:DB8::1'}).address).to.equal('[2001:db8::1]:2222');
    expect(of({address: '[::ffff:1.2.3.4]:22'}).address).to.equal('1.2.3.4:22');
  });

  it('is refused under a name that the cluster would rename', () => {
    const fail = (run: () => unknown) => expect(run).to.throw(Failure);
    fail(() => of({hostname: 'my_host'})).with.property('code', 'USAGE');
    fail(() => of({}, undefined, 'my_host')).with.property('code', 'HOST_UNSUITABLE');
    fail(() => of({hostname: 'my_host'}))
      .with.property('hint')
      .that.contains('--hostname my-host');
    fail(() => of({hostname: '___'}))
      .with.property('hint')
      .that.contains('--hostname web1');
  });

  it('is refused with an address that is none', () => {
    for (const address of ['a b', '10.0.0.5:0', 'host:99999', 'grün.example', '']) {
      expect(() => of({address}), address)
        .to.throw(Failure)
        .with.property('code', 'USAGE');
    }
  });
});

describe('an address that nobody else can dial', () => {
  it('is told apart by kind', () => {
    expect(addressWarning('127.0.0.1:22')).to.match(/^127\.0\.0\.1:22 is a loopback address/);
    expect(addressWarning('localhost:22')).to.match(/is a loopback address/);
    expect(addressWarning('[::1]:22')).to.match(/is a loopback address/);
    expect(addressWarning('0.0.0.0:22')).to.match(/^nobody can dial 0\.0\.0\.0:22/);
    expect(addressWarning('[fe80::1]:22')).to.match(/link-local/);
    expect(addressWarning('172.17.0.2:22')).to.match(/container/);
  });

  it('is none that a proxy may well reach', () => {
    for (const address of ['10.0.0.5:22', 'web1.example.com:22', '203.0.113.7:22', '[2001:db8::1]:22']) {
      expect(addressWarning(address), address).to.equal(undefined);
    }
  });
});

describe('settings on record', () => {
  it('are read back as they were written', () => {
    expect(readSettings(JSON.parse(JSON.stringify(STORED)))).to.deep.equal(STORED);
  });

  it('are nothing where anything of them is missing or of another kind', () => {
    for (const data of [undefined, null, 'text', 5, [], {}]) expect(readSettings(data)).to.equal(undefined);
    for (const key of Object.keys(STORED).filter((name) => name !== 'registered')) {
      expect(readSettings({...STORED, [key]: undefined}), key).to.equal(undefined);
      expect(readSettings({...STORED, [key]: null}), key).to.equal(undefined);
      expect(readSettings({...STORED, [key]: 5}), key).to.equal(undefined);
    }
  });
});
