import {randomUUID} from 'node:crypto';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import type {Node, Operator, UserIdentity} from '../../src/cluster/cluster.js';
import {seenAddress} from '../../src/cluster/identity.js';
import {parseIdentity} from '../../src/cluster/identity-file.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {Failure, Secret} from '../../src/errors.js';
import {FOREVER, parseCertificate} from '../../src/ssh/certificate.js';
import {parsePublicKey} from '../../src/ssh/key.js';
import {clientOf, failure, hostKey, joined, joinRequest} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {type IdentityRequest, speaking, userIdentity} from '../support/identity.js';

// A person's or a bot's conversation with Auth, through TLS routing.

const node = (changes: Partial<Node> = {}): Node => ({
  id: randomUUID(),
  hostname: 'web1',
  address: '10.0.0.5:22',
  labels: {env: 'prod'},
  subKind: 'openssh',
  ...changes,
});

/** What each call needs besides an identity. */
interface Needs {
  readonly call: (operator: Operator) => Promise<unknown>;
  readonly doing: string;
  /** As the role has it. */
  readonly rule: string;
}

const NEEDS: Readonly<Record<string, Needs>> = {
  createToken: {
    call: (operator) => operator.createToken({roles: ['Node'], ttlSeconds: 60}),
    doing: 'make a token',
    rule: '{resources: [token], verbs: [create]}',
  },
  tokens: {
    call: (operator) => operator.tokens(),
    doing: 'list tokens',
    rule: '{resources: [token], verbs: [list, read]}',
  },
  removeToken: {
    call: (operator) => operator.removeToken(new Secret('x')),
    doing: 'delete a token',
    rule: '{resources: [token], verbs: [delete]}',
  },
  putNode: {
    call: (operator) => operator.putNode(node()),
    doing: 'register a node',
    rule: '{resources: [node], verbs: [create, update]}',
  },
  removeNode: {
    call: (operator) => operator.removeNode(randomUUID()),
    doing: 'remove a node',
    rule: '{resources: [node], verbs: [delete]}',
  },
  certify: {
    call: (operator) =>
      operator.certify({nodeId: randomUUID(), nodeName: 'n', additionalPrincipals: []}, [hostKey()]),
    doing: 'sign a host certificate',
    rule: '{resources: [host_cert], verbs: [create]}',
  },
};

/** The role that a hint holds, as the embedded cluster takes roles. */
function roleIn(hint: string | undefined) {
  const [, name = ''] = /^metadata: \{name: ([a-z-]+)\}$/m.exec(hint ?? '') ?? [];
  const rules = [...(hint ?? '').matchAll(/^ {4}- \{resources: \[(\w+)\], verbs: \[([\w, ]+)\]\}$/gm)].map(
    ([, resource = '', verbs = '']) => ({resources: [resource], verbs: verbs.split(', ')}),
  );
  const seesNodes = /^ {4}node_labels: \{'\*': '\*'\}$/m.test(hint ?? '');
  return {name, role: {rules, seesNodes}};
}

describe('an operator at Auth', () => {
  const hooks: Partial<ClusterOptions> = {};
  let server: TemporaryCluster;
  before(async () => {
    server = await temporaryCluster(hooks);
  });
  afterEach(() => {
    for (const name of ['Call', 'Reply', 'Roles', 'Mfa', 'Http'] as const)
      hooks[`testOnly${name}`] = undefined;
    for (const {id} of server.nodes()) server.removeNode(id);
  });
  after(() => server.stop());

  const as = (changes: Partial<IdentityRequest> = {}) => speaking(server, changes);

  it('makes a token that a host can join with, lists it, and deletes it', async () => {
    await using alice = await as();
    const {operator} = alice;
    const {value, expires} = await operator.createToken({
      roles: ['Node'],
      ttlSeconds: 600,
      labels: {env: 'prod'},
    });
    expect(value.reveal()).to.match(/^[0-9a-f]{32}$/);
    const listed = (await operator.tokens()).find(({name}) => name.reveal() === value.reveal());
    expect(listed).to.deep.include({
      secret: true,
      roles: ['Node'],
      joinMethod: 'token',
      labels: {env: 'prod'},
    });
    expect(Math.abs((listed?.expires?.getTime() ?? 0) - expires.getTime())).to.be.lessThan(1000);
    const {identity} = await alice.cluster.join(joinRequest(value.reveal()));
    expect(identity.cluster).to.equal(server.name);
    expect(await operator.removeToken(value)).to.equal(true);
    expect(await operator.removeToken(value)).to.equal(false);
    expect(await failure(alice.cluster.join(joinRequest(value.reveal())))).to.include({
      code: 'TOKEN_REFUSED',
    });
  });

  it('lists tokens without an end, and of methods whose name is no secret', async () => {
    const forever = server.addToken({roles: ['Node', 'Proxy']});
    server.addToken({roles: ['Node'], value: 'ec2-token', joinMethod: 'ec2', allow: [{awsAccount: '1'}]});
    await using alice = await as();
    const tokens = await alice.operator.tokens();
    const one = tokens.find(({name}) => name.reveal() === forever);
    expect(one)
      .to.deep.include({secret: true, roles: ['Node', 'Proxy'], labels: {}})
      .and.not.have.property('expires');
    expect(tokens.find(({name}) => name.reveal() === 'ec2-token')).to.include({
      secret: false,
      joinMethod: 'ec2',
    });
  });

  it('makes one token although the answer was lost on the way', async () => {
    await using alice = await as();
    const before = (await alice.operator.tokens()).length;
    let calls = 0;
    hooks.testOnlyReply = (name, reply) => {
      if (name.endsWith('CreateTokenV2') && calls++ === 0) server.stats.closeAll();
      return reply;
    };
    await alice.operator.createToken({roles: ['Node'], ttlSeconds: 60});
    expect(calls).to.equal(1);
    expect(await alice.operator.tokens()).to.have.length(before + 1);
  });

  it('reckons the end of a token by the clock of the cluster', async () => {
    const ahead = 7200_000;
    await using early = await as();
    await early.cluster.describe();
    const near = await early.operator.createToken({roles: ['Node'], ttlSeconds: 60});
    expect(near.expires.getTime() - Date.now()).to.be.within(55_000, 62_000);
    hooks.testOnlyHttp = () => ({
      status: 200,
      headers: {date: new Date(Date.now() + ahead).toUTCString()},
      body: JSON.stringify({cluster_name: server.name, server_version: '18.0.0'}),
    });
    await using late = await as();
    await late.cluster.describe();
    const far = await late.operator.createToken({roles: ['Node'], ttlSeconds: 60});
    expect(far.expires.getTime() - Date.now()).to.be.within(ahead + 55_000, ahead + 62_000);
  });

  it('writes, finds, reads, lists and removes nodes', async () => {
    await using alice = await as();
    const {operator} = alice;
    const [one, other] = [node(), node({hostname: 'db1', address: '10.0.0.6:22'})];
    await operator.putNode(one);
    await operator.putNode(other);
    expect(await operator.node(one.id)).to.deep.equal(one);
    expect(await operator.nodes()).to.have.deep.members([one, other]);
    expect(await operator.nodesLike('db1', '')).to.deep.equal([other]);
    await operator.removeNode(one.id);
    await operator.removeNode(one.id);
    expect(await operator.node(one.id)).to.equal(undefined);
    expect(server.nodes()).to.deep.equal([other]);
  });

  it('certifies any key for any host, as a join would', async () => {
    await using alice = await as();
    const request = {
      nodeId: randomUUID(),
      nodeName: 'web1',
      additionalPrincipals: ['10.0.0.5', '0.0.0.0', 'web1.example.com'],
    };
    const keys = [hostKey('rsa2048'), hostKey('ed25519')];
    const {certificates: lines} = await alice.operator.certify(request, keys);
    const {active} = await alice.operator.authority('host');
    for (const [index, line] of lines.entries()) {
      const {key, principals, validBefore, authority, extensions} = parseCertificate(line);
      expect(key).to.deep.equal(parsePublicKey(keys[index] ?? '').blob);
      expect(principals).to.deep.equal([
        `${request.nodeId}.${server.name}`,
        request.nodeId,
        `web1.${server.name}`,
        'web1',
        'localhost',
        '127.0.0.1',
        '::1',
        '10.0.0.5',
        'web1.example.com',
      ]);
      expect(validBefore).to.equal(FOREVER);
      expect(authority).to.deep.equal(parsePublicKey(active[0] ?? '').blob);
      expect(extensions.get('x-teleport-role')).to.equal('Node');
    }
    expect((await alice.operator.certify(request, [])).certificates).to.deep.equal([]);
  });

  it('puts the address that the cluster sees in the place of 0.0.0.0, as a join does', async () => {
    const known = [`web1.${server.name}`, 'web1'];
    const ask = async (remoteAddr: string) => {
      hooks.testOnlyReply = (name, reply) =>
        name.endsWith('Ping') ? Object.assign(reply, {remoteAddr}) : reply;
      await using alice = await as();
      const request = {nodeId: randomUUID(), nodeName: 'web1', additionalPrincipals: ['0.0.0.0', 'a']};
      const {certificates} = await alice.operator.certify(request, [hostKey()]);
      const [line = ''] = certificates;
      expect(parseCertificate(line).principals).to.include('a').and.not.include('0.0.0.0');
      return seenAddress(line, known);
    };
    expect(await ask('203.0.113.7:40122')).to.equal('203.0.113.7');
    expect(await ask('[2001:db8::5]:40122')).to.equal('2001:db8::5');
    expect(await ask('127.0.0.1:40122')).to.equal(undefined);
    for (const odd of ['', 'nowhere', 'name:1', '203.0.113.7']) expect(await ask(odd)).to.equal(undefined);
  });

  it('refuses a host certificate for another key', async () => {
    await using alice = await as();
    let first: Uint8Array | undefined;
    hooks.testOnlyReply = (name, reply) => {
      if (!name.endsWith('GenerateHostCert') || !('sshCertificate' in reply)) return reply;
      first ??= reply.sshCertificate as Uint8Array;
      return Object.assign(reply, {sshCertificate: first});
    };
    const request = {nodeId: randomUUID(), nodeName: 'n', additionalPrincipals: []};
    await alice.operator.certify(request, [hostKey()]);
    const refused = await failure(alice.operator.certify(request, [hostKey()]));
    expect(refused).to.include({code: 'CLUSTER_REPLY_INVALID'});
  });

  it('reads authorities with no rule at all', async () => {
    await using bob = await as({user: 'bob', roles: ['auditor']});
    for (const type of ['host', 'openssh'] as const) {
      expect((await bob.operator.authority(type)).active).to.have.length(1);
    }
    expect(await bob.operator.nodes(), 'none is shown, without a word').to.deep.equal([]);
  });

  for (const [name, {call, doing, rule}] of Object.entries(NEEDS)) {
    it(`${name}: names the permission that is missing, and the role that grants just that`, async () => {
      await using bob = await as({user: 'bob', roles: ['access']});
      const refused = await failure(call(bob.operator));
      expect(refused).to.include({code: 'REQUEST_REFUSED', exitCode: 4});
      expect(refused.message)
        .to.contain(`bob may not ${doing}: no role allows `)
        .and.match(/^[^\n]*[^.\n]$/);
      expect(refused.detail).to.contain('the cluster says: access denied to perform action');
      expect(refused.hint).to.contain(`    - ${rule}`).and.contain('tctl users update bob --set-roles=');
      const {name: role, role: granted} = roleIn(refused.hint);
      expect(granted.rules, 'nothing more than it takes').to.have.length(1);
      hooks.testOnlyRoles = {[role]: granted};
      await using better = await as({user: 'bob', roles: ['access', role]});
      await call(better.operator);
      // Taking any verb of it away makes it too little: the role grants exactly what is missing.
      const [only = {resources: [], verbs: []}] = granted.rules;
      for (const verb of only.verbs) {
        const rest = {...only, verbs: only.verbs.filter((other) => other !== verb)};
        hooks.testOnlyRoles = {[role]: {...granted, rules: [rest]}};
        const again = await failure(call(better.operator));
        expect(again.hint).to.contain(`verbs: [${verb}]`);
      }
    });
  }

  it('names only what is missing when a part is there', async () => {
    hooks.testOnlyRoles = {reader: {seesNodes: false, rules: [{resources: ['token'], verbs: ['read']}]}};
    await using bob = await as({user: 'bob', roles: ['reader']});
    const refused = await failure(bob.operator.tokens());
    expect(refused.message).to.equal('bob may not list tokens: no role allows token: list');
    expect(roleIn(refused.hint)).to.deep.equal({
      name: 'agentless-token-list',
      role: {rules: [{resources: ['token'], verbs: ['list']}], seesNodes: false},
    });
  });

  it('tells who manages bots by another command', async () => {
    await using bot = await as({user: 'bot-ci', roles: ['access']});
    const refused = await failure(bot.operator.tokens());
    expect(refused.hint).to.contain('`tctl bots update ci --add-roles=agentless-token-list-read`');
  });

  it('tells a node that its roles do not show from one that is not there', async () => {
    const hidden = node();
    await using alice = await as();
    await alice.operator.putNode(hidden);
    await using bob = await as({user: 'bob', roles: ['editor']});
    expect(await bob.operator.node(randomUUID())).to.equal(undefined);
    const refused = await failure(bob.operator.node(hidden.id));
    expect(refused).to.include({code: 'REQUEST_REFUSED'});
    const {name, role} = roleIn(refused.hint);
    expect(role).to.deep.equal({rules: [], seesNodes: true});
    hooks.testOnlyRoles = {[name]: role};
    await using better = await as({user: 'bob', roles: ['editor', name]});
    expect(await better.operator.node(hidden.id)).to.deep.equal(hidden);
  });

  it('does with the preset roles what was measured on a real cluster', async () => {
    const works = async (roles: readonly string[], call: Needs['call']) => {
      await using someone = await as({user: 'u', roles});
      return await call(someone.operator).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Failure && error.code === 'REQUEST_REFUSED') return false;
          throw error;
        },
      );
    };
    const table: Record<string, string[]> = {};
    for (const role of ['editor', 'access', 'auditor', 'agentless-ops']) {
      const allowed: string[] = [];
      for (const [name, {call}] of Object.entries(NEEDS)) if (await works([role], call)) allowed.push(name);
      table[role] = allowed;
    }
    expect(table).to.deep.equal({
      editor: ['createToken', 'tokens', 'removeToken', 'putNode', 'removeNode'],
      access: [],
      auditor: [],
      'agentless-ops': Object.keys(NEEDS),
    });
  });

  it('explains a refusal for want of a second factor, and who needs none', async () => {
    hooks.testOnlyMfa = true;
    await using person = await as({user: 'carol', bySelf: true});
    const free = ['putNode', 'removeNode'];
    for (const [name, {call, doing}] of Object.entries(NEEDS)) {
      if (free.includes(name)) {
        await call(person.operator);
        continue;
      }
      const refused = await failure(call(person.operator));
      expect(refused).to.include({code: 'REQUEST_REFUSED', exitCode: 4});
      expect(refused.message).to.contain(`a second factor of carol to ${doing}`);
      expect(refused.hint).to.match(
        /tctl auth sign --format=file .* on the auth host itself,\nor the output of tbot/,
      );
      expect(refused.detail).to.contain('requires MFA verification');
    }
    await using signed = await as({user: 'carol'});
    for (const {call} of Object.values(NEEDS)) await call(signed.operator);
  });

  it('says something even when the words of the refusal were lost', async () => {
    hooks.testOnlyCall = () => ({code: Code.PermissionDenied, message: ''});
    await using alice = await as();
    const refused = await failure(alice.operator.tokens());
    expect(refused.message).to.equal('the cluster does not allow alice to list tokens');
    expect(refused.hint).to.contain('tctl get locks');
    expect(refused.detail).to.equal(undefined);
  });

  it('never repeats a token that Auth repeats', async () => {
    await using alice = await as();
    const value = 'e92faee4c08cade76f7919ec4d5685de';
    hooks.testOnlyCall = () => ({code: Code.InvalidArgument, message: `bad name "/tokens/${value}"`});
    const refused = await failure(alice.operator.removeToken(new Secret(value)));
    expect(refused.detail).to.equal('the cluster says: bad name "/tokens/[secret]"');
    for (let one: unknown = refused; one instanceof Error; one = one.cause) {
      expect(`${one.message} ${one.stack} ${JSON.stringify(one)}`).to.not.include(value);
    }
  });

  describe('is refused', () => {
    it('with an identity of another cluster, also of one with the same name', async () => {
      await using other = await temporaryCluster({name: server.name});
      const foreign = await userIdentity(other);
      const own = await userIdentity(server);
      await using cluster = clientOf(server);
      const untrusted = await failure(cluster.asOperator(foreign).authority('host'));
      expect(untrusted).to.include({code: 'CLUSTER_UNTRUSTED'});
      expect(untrusted.hint).to.contain('make a new one: `tctl auth sign').and.not.contain('join again');
      const stale: UserIdentity = {...foreign, authorities: own.authorities};
      const refused = await failure(cluster.asOperator(stale).authority('host'));
      expect(refused).to.include({
        code: 'REQUEST_REFUSED',
        message: 'the cluster no longer accepts this identity',
      });
      expect(refused.hint).to.contain('make a new one: `tctl auth sign');
    });

    it('once it has expired', async () => {
      await using soon = await as({ttlSeconds: 1});
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const refused = await failure(soon.operator.authority('host'));
      expect(refused).to.include({
        code: 'REQUEST_REFUSED',
        message: 'the cluster no longer accepts this identity',
      });
    });

    it('when an authority of the identity has no pin', async () => {
      const identity = await userIdentity(server);
      await using pinned = clientOf(server, {caPin: [server.caPin]});
      expect((await pinned.asOperator(identity).authority('host')).active).to.have.length(1);
      await using wrong = clientOf(server, {caPin: [`sha256:${'0'.repeat(64)}`]});
      expect(() => wrong.asOperator(identity)).to.throw(/does not match --ca-pin/);
    });

    it('with the identity of a node in the place of a person’s', async () => {
      const {key, certificate, authorities} = (await joined(server)).identity;
      const text = [key.reveal(), certificate, ...authorities].join('\n');
      expect(() => parseIdentity(text, 'node.id')).to.throw(
        /^node\.id is not .* belongs to a node, not to a person/,
      );
    });

    it('what only hosts may do for themselves, and hosts what only people may', async () => {
      const {identity} = await joined(server);
      await using cluster = clientOf(server);
      // The node's credential in the clothes of a person: Auth is not taken in.
      const disguised = cluster.asOperator({...identity, user: 'mallory', expires: new Date(0)});
      for (const name of ['createToken', 'tokens', 'removeToken', 'certify'] as const) {
        const refused = await failure(NEEDS[name]?.call(disguised) ?? expect.fail());
        expect(refused, name).to.include({code: 'REQUEST_REFUSED'});
      }
      const alice = await userIdentity(server);
      const asHost = cluster.as({...alice, nodeId: randomUUID()});
      const refused = await failure(
        asHost.certify({nodeId: randomUUID(), nodeName: 'n', additionalPrincipals: []}, [hostKey()]),
      );
      expect(refused.detail).to.match(/username mismatch "alice" and "[0-9a-f-]{36}\.dev\.example"/);
    });
  });
});
