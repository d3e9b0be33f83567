import {expect} from 'chai';
import type {ClusterOptions} from '../../../src/devcluster/index.js';
import {Failure, Secret} from '../../../src/errors.js';
import {operatorOf} from '../../../src/operations/operator.js';
import {
  addNodeToken,
  listTokens,
  removeToken,
  removeTokenLike,
  withTemporaryToken,
} from '../../../src/operations/tokens.js';
import {clientOf, failure, joinRequest} from '../../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../../support/dev-cluster.js';
import {type Spoken, speaking, userIdentity} from '../../support/identity.js';

describe('tokens', () => {
  const hooks: Partial<ClusterOptions> = {};
  let server: TemporaryCluster;
  let alice: Spoken;
  let warnings: string[];
  const report = {warn: (text: string) => warnings.push(text)};

  before(async () => {
    server = await temporaryCluster(hooks);
    server.removeToken(server.token);
  });
  beforeEach(async () => {
    warnings = [];
    alice = await speaking(server);
  });
  afterEach(async () => {
    hooks.testOnlyCall = undefined;
    for (const {name} of await alice.operator.tokens()) server.removeToken(name.reveal());
    await alice[Symbol.asyncDispose]();
  });
  after(() => server.stop());

  const values = async () => (await alice.operator.tokens()).map(({name}) => name.reveal());

  it('are made for nodes, each with another value', async () => {
    const wish = {ttlSeconds: 60, labels: {team: 'db'}};
    const [one, other] = [await addNodeToken(alice.operator, wish), await addNodeToken(alice.operator, wish)];
    expect(one.value.reveal()).to.not.equal(other.value.reveal());
    const tokens = await alice.operator.tokens();
    expect(tokens.map(({roles, labels}) => ({roles, labels}))).to.deep.equal(
      [0, 1].map(() => ({roles: ['Node'], labels: {team: 'db'}})),
    );
  });

  it('are shown by their first characters, the next to end first', async () => {
    server.addToken({roles: ['Node'], value: 'e92faee4c08cade76f7919ec4d5685de'});
    server.addToken({roles: ['Node'], value: 'abcdefghijklmnop', ttlSeconds: 900});
    server.addToken({roles: ['Node'], value: 'short-and-guess', ttlSeconds: 600});
    server.addToken({roles: ['Node'], value: 'ec2-fleet', joinMethod: 'ec2', ttlSeconds: 300});
    const shown = (await listTokens(alice.operator)).map((one) => one.shown);
    expect(shown).to.deep.equal(['ec2-fleet', '', 'abcd', 'e92faee4']);
  });

  it('are deleted by value, by whole name, or by the characters that are shown', async () => {
    server.addToken({roles: ['Node'], value: 'e92faee4c08cade76f7919ec4d5685de'});
    server.addToken({roles: ['Node'], value: '00000000c08cade76f7919ec4d5685de'});
    server.addToken({roles: ['Node'], value: 'ec2-fleet', joinMethod: 'ec2'});
    await removeToken(alice.operator, new Secret('e92faee4c08cade76f7919ec4d5685de'));
    expect((await removeTokenLike(alice.operator, 'ec2-fleet')).shown).to.equal('ec2-fleet');
    expect((await removeTokenLike(alice.operator, '00000000')).shown).to.equal('00000000');
    expect(await values()).to.deep.equal([]);
  });

  it('are not deleted by fewer characters, by those of several, or by a name nobody has', async () => {
    const [one, two] = ['e92faee4c08cade76f7919ec4d5685de', 'e92faee4ffffffffffffffffffffffff'];
    for (const value of [one, two]) server.addToken({roles: ['Node'], value});
    server.addToken({roles: ['Node'], value: 'ec2-fleet', joinMethod: 'ec2'});
    const several = await failure(removeTokenLike(alice.operator, 'e92faee4'));
    expect(several).to.include({code: 'USAGE'});
    expect(several.message).to.contain('2 tokens begin like that');
    for (const text of ['e92', '', 'ec2', 'nobody', 'f92faee4']) {
      expect(await failure(removeTokenLike(alice.operator, text)), text).to.include({
        code: 'REQUEST_REFUSED',
      });
    }
    expect(await failure(removeToken(alice.operator, new Secret('nobody')))).to.include({
      code: 'REQUEST_REFUSED',
    });
    expect(await values()).to.have.members([one, two, 'ec2-fleet']);
    expect((await removeTokenLike(alice.operator, 'e92faee4c')).token.name.reveal()).to.equal(one);
    await removeTokenLike(alice.operator, two);
    expect(await values()).to.deep.equal(['ec2-fleet']);
  });

  it('whose name begins another one are deleted by their whole name', async () => {
    const value = 'e92faee4c08cade76f7919ec4d5685de';
    for (const one of [value, `${value}00`]) server.addToken({roles: ['Node'], value: one});
    await removeTokenLike(alice.operator, value);
    expect(await values()).to.deep.equal([`${value}00`]);
  });

  describe('made for one piece of work', () => {
    it('can be joined with, end within five minutes, and are gone afterwards', async () => {
      const joined = await withTemporaryToken(alice.operator, report, async (token) => {
        const [only] = await alice.operator.tokens();
        expect(only?.name.reveal()).to.equal(token.reveal());
        expect((only?.expires?.getTime() ?? 0) - Date.now()).to.be.within(295_000, 301_000);
        return alice.cluster.join(joinRequest(token.reveal()));
      });
      expect(joined.identity.cluster).to.equal(server.name);
      expect(await values()).to.deep.equal([]);
      expect(warnings).to.deep.equal([]);
    });

    it('are gone when the work fails, which is what is told', async () => {
      const broken = new Failure('HOST_UNSUITABLE', 'no');
      const refused = await failure(
        withTemporaryToken(alice.operator, report, async () => {
          expect(await values()).to.have.length(1);
          throw broken;
        }),
      );
      expect(refused).to.equal(broken);
      expect(await values()).to.deep.equal([]);
    });

    it('that cannot be deleted are told of, without their value; the work stands', async () => {
      let made = '';
      const result = await withTemporaryToken(alice.operator, report, async (token) => {
        made = token.reveal();
        hooks.testOnlyCall = (name) =>
          name.endsWith('DeleteToken') ? {code: 7, message: `not ${made}`} : undefined;
        return 'done';
      });
      expect(result).to.equal('done');
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.match(/could not be deleted \(.*\); it is valid until 20\d\d-/);
      expect(warnings[0]).to.not.include(made);
    });

    it('are not made without the permission, and then nothing is done', async () => {
      await using bob = await speaking(server, {user: 'bob', roles: ['access']});
      let worked = false;
      const refused = await failure(
        withTemporaryToken(bob.operator, report, async () => {
          worked = true;
        }),
      );
      expect(refused.hint).to.contain('{resources: [token], verbs: [create]}');
      expect(worked).to.equal(false);
    });
  });
});

describe('speaking as an operator', () => {
  it('needs an identity of the cluster that is behind the proxy', async () => {
    await using server = await temporaryCluster();
    await using other = await temporaryCluster({name: 'other.example'});
    await using cluster = clientOf(server);
    const identity = await userIdentity(server);
    expect((await operatorOf(cluster, identity)).user).to.equal('alice');
    const refused = await failure(operatorOf(cluster, await userIdentity(other)));
    expect(refused).to.include({code: 'USAGE'});
    expect(refused.message).to.equal(
      `the identity of alice is for the cluster other.example, and ${server.proxy} is of dev.example`,
    );
  });
});
