import {randomUUID} from 'node:crypto';
import {toJson} from '@bufbuild/protobuf';
import {expect} from 'chai';
import type {RotationPhase, SignatureSuite} from '../../src/cluster/cluster.js';
import {AuthService} from '../../src/cluster/gen/auth_pb.js';
import {RotationSchema} from '../../src/cluster/gen/types_pb.js';
import {type DevCluster, startCluster} from '../../src/devcluster/index.js';
import {temporaryCluster} from '../support/dev-cluster.js';
import {dialAuth, GrpcError, joinFields, postJoin, readJoin, sshLine, tlsPem} from '../support/raw-client.js';
import {answered, Observer, observerKeys, signerOf} from '../support/rotation-observer.js';

// What is active, what signs, what is told and what is accepted in every phase of a rotation, as measured on 18.0.0.

const GO_ZERO = '0001-01-01T00:00:00Z';

const HOST = {
  standby: {
    active: 'old',
    additional: '',
    export: 'old',
    tls: 'old',
    signs: 'old',
    lists: 'old',
    serves: 'old',
  },
  init: {
    active: 'old',
    additional: 'new',
    export: 'old new',
    tls: 'old',
    signs: 'old',
    lists: 'old new',
    serves: 'old',
  },
  update_clients: {
    active: 'new',
    additional: 'old',
    export: 'new old',
    tls: 'new',
    signs: 'new',
    lists: 'new old',
    serves: 'old',
  },
  update_servers: {
    active: 'new',
    additional: 'old',
    export: 'new old',
    tls: 'new',
    signs: 'new',
    lists: 'new old',
    serves: 'new',
  },
  ended: {
    active: 'new',
    additional: '',
    export: 'new',
    tls: 'new',
    signs: 'new',
    lists: 'new',
    serves: 'new',
  },
  rollback: {
    active: 'old',
    additional: 'new',
    export: 'old new',
    tls: 'old',
    signs: 'old',
    lists: 'old new',
    serves: 'old',
  },
} as const;

const OPENSSH = {
  standby: {active: 'old', additional: '', export: 'old', login: 'old'},
  init: {active: 'old', additional: 'new', export: 'old new', login: 'old'},
  update_clients: {active: 'new', additional: 'old', export: 'new old', login: 'new'},
  update_servers: {active: 'new', additional: 'old', export: 'new old', login: 'new'},
  ended: {active: 'new', additional: '', export: 'new', login: 'new'},
  rollback: {active: 'old', additional: 'new', export: 'old new', login: 'old'},
} as const;

type Row = keyof typeof HOST;

const ok = 'ok';
const refused = 'refused';
const [oldOk, bothOk] = [{'client old': ok}, {'client old': ok, 'client new': ok}];

/** Phases entered one after the other, the row that holds in each, and the client certificates that are accepted. */
const PATHS: Readonly<Record<string, readonly (readonly [RotationPhase, Row, Record<string, string>])[]>> = {
  'to its end': [
    ['init', 'init', oldOk],
    ['update_clients', 'update_clients', bothOk],
    ['update_servers', 'update_servers', bothOk],
    ['standby', 'ended', {'client old': refused, 'client new': ok}],
  ],
  'rolled back from init': [
    ['init', 'init', oldOk],
    ['rollback', 'rollback', oldOk],
    ['standby', 'standby', oldOk],
  ],
  'rolled back from update_clients': [
    ['init', 'init', oldOk],
    ['update_clients', 'update_clients', bothOk],
    ['rollback', 'rollback', bothOk],
    ['standby', 'standby', {'client old': ok, 'client new': refused}],
  ],
  'rolled back from update_servers': [
    ['init', 'init', oldOk],
    ['update_clients', 'update_clients', bothOk],
    ['update_servers', 'update_servers', bothOk],
    ['rollback', 'rollback', bothOk],
    ['standby', 'standby', {'client old': ok, 'client new': refused}],
  ],
};

describe('embedded cluster: a rotation', () => {
  for (const [what, path] of Object.entries(PATHS)) {
    for (const restarts of [false, true]) {
      const how = restarts ? ', with a restart in every phase' : '';
      it(`of the host authority, ${what}${how}`, () => walkHost(path, 'balanced-v1', restarts));
    }
    it(`of the openssh authority, ${what}`, async () => {
      await using cluster = await temporaryCluster();
      const observer = new Observer();
      const hosts = (await observer.authority(cluster, 'host')).active.ssh;
      observer.name((await observer.authority(cluster, 'openssh')).active, 'old');
      expect(await observer.openssh(cluster)).to.eql(OPENSSH.standby);
      for (const [phase, row] of path) {
        await cluster.rotate('openssh', phase);
        if (phase === 'init') observer.name((await observer.authority(cluster, 'openssh')).additional, 'new');
        expect(await observer.openssh(cluster), phase).to.eql(OPENSSH[row]);
      }
      // The host authority has nothing to do with it.
      const host = await observer.authority(cluster, 'host');
      expect([host.active.ssh, host.additional.ssh, host.rotation]).to.eql([hosts, [], undefined]);
    });
  }

  for (const suite of ['legacy', 'fips-v1'] as const) {
    it(`of the host authority in the suite ${suite}`, () =>
      walkHost(PATHS['to its end'] ?? [], suite, false));
  }

  async function walkHost(path: (typeof PATHS)[string], suite: SignatureSuite, restarts: boolean) {
    await using first = await temporaryCluster({suite});
    let cluster: DevCluster = first;
    const observer = new Observer();
    observer.name((await observer.authority(cluster, 'host')).active, 'old');
    expect(await observer.host(cluster)).to.eql({...HOST.standby, ...oldOk});
    for (const [phase, row, clients] of path) {
      await cluster.rotate('host', phase);
      if (restarts) {
        await cluster.close();
        cluster = await startCluster({dir: first.dir, lag: false, limits: false});
      }
      if (phase === 'init') observer.name((await observer.authority(cluster, 'host')).additional, 'new');
      expect(await observer.host(cluster), phase).to.eql({...HOST[row], ...clients});
    }
    const {rotation} = await observer.authority(cluster, 'openssh');
    expect(rotation).to.equal(undefined);
    await cluster.close();
  }

  it('is told with the authority', async () => {
    await using cluster = await temporaryCluster();
    const observer = new Observer();
    const told = async () => {
      const {rotation} = await observer.authority(cluster, 'host');
      const json = rotation === undefined ? undefined : toJson(RotationSchema, rotation);
      return json as Readonly<Record<string, unknown>> | undefined;
    };
    expect(await told()).to.equal(undefined);
    const {currentId} = await cluster.rotate('host', 'init');
    const started = (await told())?.['started'];
    expect(started).to.match(/^20\d\d-/);
    const hours = (count: number) =>
      new Date(Date.parse(String(started)) + count * 3_600_000).toISOString().replace(/\.000Z$/, 'Z');
    // Nobody follows it in a manual rotation.
    const schedule = {updateClients: hours(10), updateServers: hours(20), standby: hours(30)};
    const none = {updateClients: GO_ZERO, updateServers: GO_ZERO, standby: GO_ZERO};
    const common = {currentId, gracePeriod: '108000000000000'};
    const under = {state: 'in_progress', mode: 'manual', started, lastRotated: GO_ZERO, schedule, ...common};
    expect(await told()).to.eql({...under, phase: 'init'});
    for (const phase of ['update_clients', 'update_servers'] as const) {
      await cluster.rotate('host', phase);
      expect(await told()).to.eql({...under, phase});
    }
    await cluster.rotate('host', 'standby');
    const lastRotated = (await told())?.['lastRotated'];
    expect(lastRotated).to.match(/^20\d\d-/);
    expect(await told()).to.eql({
      ...common,
      schedule: none,
      state: 'standby',
      phase: 'standby',
      started: GO_ZERO,
      lastRotated,
    });
    // The next one has an id of its own, and knows when the last one ended.
    const next = await cluster.rotate('host', 'init');
    expect(next.currentId)
      .to.match(/^[0-9a-f-]{36}$/)
      .and.not.equal(currentId);
    expect(await told()).to.include({currentId: next.currentId, lastRotated});
  });

  it('leaves connections alone that were opened before, and shows refusal as an alert at the first read', async () => {
    await using cluster = await temporaryCluster();
    const observer = new Observer();
    const before = await observer.connected(cluster);
    const {tls: cert} = readJoin(
      await postJoin(cluster, joinFields(cluster.token, observerKeys, observer.hostId)),
    );
    for (const phase of ['init', 'update_clients', 'update_servers', 'standby'] as const) {
      await cluster.rotate('host', phase);
    }
    expect(await answered(before)).to.equal('ok');
    before.close();
    const key = observerKeys.tls.export({type: 'pkcs8', format: 'pem'});
    for (const direct of [false, true]) {
      const socket = await dialAuth(cluster, {cert, key, direct});
      const code = new Promise((resolve) => {
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
        socket.once('end', () => resolve('end'));
      });
      socket.resume();
      expect(await code).to.equal('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA');
    }
  });

  it('is refused to a host that expects another state of it', async () => {
    await using cluster = await temporaryCluster();
    const observer = new Observer();
    const auth = await observer.connected(cluster);
    const renew = (rotation?: object) =>
      auth
        .call(AuthService.method.generateHostCerts, {
          hostId: observer.hostId,
          nodeName: 'db1',
          role: 'Node',
          publicTlsKey: Buffer.from(tlsPem(observerKeys.tls)),
          publicSshKey: Buffer.from(sshLine(observerKeys.ssh)),
          ...(rotation && {rotation}),
        })
        .then(
          () => 'ok',
          (error: unknown) => (error instanceof GrpcError ? `${error.code} ${error.message}` : String(error)),
        );
    const zero = '0001-01-01 00:00:00 +0000 UTC';
    const time = '20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d(\\.\\d+)? \\+0000 UTC';
    const outOfSync = (server: string, client: string) =>
      new RegExp(
        `^3 the client expected state is out of sync, server rotation state: ${server}, client rotation state: ` +
          `${client}, re-register the client from scratch to fix the issue\\.$`,
      );
    const literally = (text: string) => text.replace(/[+{}[\]()]/g, '\\$&');
    const never = literally(`{    ${zero} 0 ${zero} {${zero} ${zero} ${zero} {} [] 0} {} [] 0}`);
    expect(await renew()).to.equal('ok');
    // Never rotated is what an empty message says.
    expect(await renew({})).to.equal('ok');
    const believed = {state: 'in_progress', phase: 'init', currentId: 'x'};
    const span = {started: {seconds: 1_600_000_000n, nanos: 0}, gracePeriod: 3_600_000_000_000n};
    const from = 'started: Sep 13 2020 12:26:40 UTC, ending: Sep 13 2020 13:26:40 UTC';
    expect(await renew({...believed, ...span})).to.match(
      outOfSync(never, literally(`in progress (mode: automatic, phase: init, ${from})`)),
    );
    const {started: lastRotated} = span;
    expect(await renew({...believed, state: 'standby', lastRotated})).to.match(
      outOfSync(never, literally('standby (last rotated: Sep 13 2020 12:26:40 UTC)')),
    );
    const {currentId} = await cluster.rotate('host', 'init');
    const state = {state: 'in_progress', phase: 'init', currentId};
    expect(await renew(state)).to.equal('ok');
    expect(await renew()).to.equal('ok');
    expect(await renew({}), 'says nothing').to.equal('ok');
    expect(await renew({...state, mode: 'auto'}), 'neither mode nor times matter').to.equal('ok');
    const server = `\\{in_progress init manual ${currentId} ${time} 108000000000000 ${zero.replace('+', '\\+')} \\{${time} ${time} ${time} \\{\\} \\[\\] 0\\} \\{\\} \\[\\] 0\\}`;
    const others: readonly [object, string][] = [
      [{...state, state: ''}, 'standby (never rotated)'],
      [{...state, mode: 'manual', currentId: randomUUID()}, 'in progress (mode: manual, phase: init)'],
      [{...state, mode: 'manual', phase: 'rollback'}, 'in progress (mode: manual, phase: rollback)'],
    ];
    for (const [other, client] of others)
      expect(await renew(other)).to.match(outOfSync(server, literally(client)));
    auth.close();
  });

  it('shows within a second where reads lag, and is stored at once', async () => {
    await using cluster = await temporaryCluster({lag: true});
    const observer = new Observer();
    observer.name((await observer.authority(cluster, 'host')).active, 'old');
    const [pin] = cluster.pins();
    const shown = async (phase: string) => {
      while ((await observer.authority(cluster, 'host')).rotation?.phase !== phase) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await cluster.rotate('host', 'init');
    expect(cluster.pins()).to.have.length(2);
    await shown('init');
    observer.name((await observer.authority(cluster, 'host')).additional, 'new');
    await cluster.rotate('host', 'update_clients');
    expect(cluster.pins()[1]).to.equal(pin);
    await shown('update_clients');
    const {additional} = await observer.authority(cluster, 'host');
    while (signerOf((await observer.renew(cluster)).ssh) === additional.ssh[0]) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await observer.host(cluster)).to.deep.include(HOST.update_clients);
  });
});
