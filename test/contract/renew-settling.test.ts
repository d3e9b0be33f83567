// A reply within a second of a change of phase may be half old: what is renewed then is right or becomes so with the next
// renewal, and never anything that the cluster does not trust.

import {create} from '@bufbuild/protobuf';
import {expect} from 'chai';
import type {Identity, RotationPhase} from '../../src/cluster/cluster.js';
import {CertsSchema} from '../../src/cluster/gen/auth_pb.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import type {HostKey} from '../../src/host/facts.js';
import {refresh} from '../../src/operations/refresh.js';
import {reach} from '../../src/operations/speaker.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {formatPublicKey, parsePublicKey} from '../../src/ssh/key.js';
import {clientOf, hostKey, joined} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

const KEYS: readonly HostKey[] = (['ed25519', 'p256'] as const).map((kind) => ({
  ...parsePublicKey(hostKey(kind)),
  file: `/${kind}`,
  plainBy: [],
  certificateBy: [],
}));
const SIGN = 'proto.AuthService/GenerateHostCerts';
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

interface Holding {
  readonly identity: Identity;
  readonly certificates: ReadonlyMap<string, string>;
}

class Host {
  readonly #cluster;
  held: Holding;

  private constructor(
    readonly server: TemporaryCluster,
    held: Holding,
  ) {
    this.#cluster = clientOf(server, {deadline: 10_000});
    this.held = held;
  }

  static async joined(server: TemporaryCluster): Promise<Host> {
    const {identity} = await joined(server);
    const host = new Host(server, {identity, certificates: new Map()});
    await host.renew();
    return host;
  }

  async renew(): Promise<readonly string[]> {
    const {nodeId} = this.held.identity;
    const wanted = {nodeId, nodeName: 'web1', additionalPrincipals: [], names: ['web1'], keys: KEYS};
    const contact = await reach(this.#cluster, this.held.identity);
    const {identity, certificates, renewed} = await refresh(contact, this.held.certificates, wanted, false);
    this.held = {identity: identity ?? expect.fail('it speaks for itself'), certificates};
    return renewed;
  }

  get signers(): ReadonlySet<string> {
    const lines = [...this.held.certificates.values()];
    return new Set(lines.map((line) => formatPublicKey(parseCertificate(line).authority)));
  }

  async trusted() {
    const {authorities} = await reach(this.#cluster, this.held.identity);
    return authorities.hosts;
  }

  close(): Promise<void> {
    return this.#cluster.close();
  }
}

describe('a renewal while a phase is changing', function () {
  this.timeout(120_000);
  const hooks: Partial<ClusterOptions> = {};
  let host: Host;
  let server: TemporaryCluster;

  const begin = async (options: Partial<ClusterOptions>) => {
    server = await temporaryCluster(Object.assign(hooks, options));
    host = await Host.joined(server);
  };
  afterEach(async () => {
    hooks.testOnlyReply = undefined;
    await host.close();
    await server.stop();
  });
  const signed = () => server.stats.requests[SIGN] ?? 0;

  it('asks once more, a second later, where one of two answers was signed by the old key', async () => {
    await begin({lag: false});
    const identity = host.held.identity;
    await server.rotate('host', 'init');
    // What the cluster signs is recorded while the old key signs, and given once more after the change.
    const old: Parameters<NonNullable<ClusterOptions['testOnlyReply']>>[1][] = [];
    hooks.testOnlyReply = (name, reply) => {
      if (name === SIGN) old.push(reply);
      return reply;
    };
    host.held = {identity, certificates: new Map()};
    await host.renew();
    const [first] = old;
    if (first === undefined) throw new Error('nothing was signed');
    await server.rotate('host', 'update_clients');
    let given = 0;
    hooks.testOnlyReply = (name, reply) =>
      name === SIGN && given++ === 0
        ? create(CertsSchema, first as ReturnType<typeof create<typeof CertsSchema>>)
        : reply;
    const [before, start] = [signed(), performance.now()];
    expect(await host.renew()).to.have.length(3);
    expect(signed() - before, 'two keys, twice').to.equal(4);
    expect(performance.now() - start).to.be.greaterThan(1000);
    expect([...host.signers]).to.deep.equal((await host.trusted()).active);
    expect(await host.renew()).to.deep.equal([]);
  });

  it('gives up after three attempts with what is trusted, and the next renewal puts it right', async () => {
    await begin({lag: false});
    await server.rotate('host', 'init');
    let old: unknown;
    hooks.testOnlyReply = (name, reply) => {
      if (name.endsWith('/GetCertAuthority') && JSON.stringify(reply, noBig).includes('"host"'))
        old ??= reply;
      return reply;
    };
    await host.renew();
    await server.rotate('host', 'update_clients');
    // Auth signs with the new key, and goes on telling that the old one is active.
    hooks.testOnlyReply = (name, reply) =>
      name.endsWith('/GetCertAuthority') && JSON.stringify(reply, noBig).includes('"host"')
        ? (old as typeof reply)
        : reply;
    host.held = {...host.held, certificates: new Map()};
    const before = signed();
    expect(await host.renew()).to.have.length(2);
    expect(signed() - before, 'two keys, three times').to.equal(6);
    hooks.testOnlyReply = undefined;
    const {active, additional} = await host.trusted();
    for (const signer of host.signers) expect([...active, ...additional]).to.include(signer);
    expect(await host.renew(), 'only what is still of the old key').to.have.length.below(2);
    expect([...host.signers]).to.deep.equal(active);
    expect(await host.renew()).to.deep.equal([]);
  });

  it('with the lag of a real cluster: what it gets is trusted, and active after the next one', async () => {
    await begin({lag: true});
    const order: readonly RotationPhase[] = [
      'init',
      'update_clients',
      'rollback',
      'standby',
      'init',
      'update_clients',
      'update_servers',
      'standby',
    ];
    for (const [index, phase] of order.entries()) {
      await server.rotate('host', phase);
      // Somewhere in the second in which the parts of the cluster learn of it, each at another moment.
      await pause((index * 170) % 900);
      await host.renew();
      const {active, additional} = await host.trusted();
      for (const signer of host.signers) expect([...active, ...additional], phase).to.include(signer);
      await pause(1000);
      await host.renew();
      expect([...host.signers], phase).to.deep.equal((await host.trusted()).active);
      expect(await host.renew(), phase).to.deep.equal([]);
    }
  });
});

const noBig = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
