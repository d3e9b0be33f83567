import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {
  type HttpAnswer,
  JOIN_PATH,
  joinFields,
  newHostKeys,
  postJoin,
  request,
} from '../support/raw-client.js';

// Every way in which a real 18.0.0 refused a join, asked of the embedded cluster: status, content type and body.

interface Case {
  readonly case: string;
  readonly status: number;
  readonly contentType?: string;
  readonly body: string;
}

const golden = (file: string): Case[] =>
  JSON.parse(readFileSync(new URL(`../golden/teleport-18.0.0/${file}`, import.meta.url), 'utf8'));

const HOST = 'f97a0bac-cb6a-4cc4-bb4d-5e7c158e2b45';
const HOST_IN_EXTRA = '00000000-0000-4000-8000-000000000001';
const LOCKED = '73e42cc6-f39a-4d96-a6f9-de6ae9238748';

describe('embedded cluster: refusals of the join endpoint', () => {
  let cluster: TemporaryCluster;
  const keys = newHostKeys();

  before(async () => {
    cluster = await temporaryCluster();
  });
  after(() => cluster.stop());

  const ask = (changes: Record<string, unknown>, hostId = HOST) =>
    postJoin(cluster, {...joinFields(cluster.token, keys, hostId), ...changes});

  const ASKED: Readonly<Record<string, () => Promise<HttpAnswer>>> = {
    'bad-ct': () =>
      request(cluster, JOIN_PATH, {method: 'POST', headers: {'content-type': 'text/plain'}, body: '{}'}),
    'bad-json': () =>
      request(cluster, JOIN_PATH, {method: 'POST', headers: {'content-type': 'application/json'}, body: '{'}),
    'bad-role': () => ask({role: 'Nonsense'}),
    'bad-sshkey': () => ask({public_ssh_key: Buffer.from('junk').toString('base64')}),
    'bad-token': () => ask({token: 'nope'}),
    expires: () => ask({expires: '2027-01-01T00:00:00Z'}),
    'lowercase-role': () => ask({role: 'node'}),
    'no-hostid': () => ask({hostID: ''}),
    'no-token': () => ask({token: ''}),
    'role-proxy': () => ask({role: 'Proxy'}),
    'wrong-role': () => ask({role: 'Auth'}),
    'unknown-route': () => request(cluster, '/webapi/nothing/here'),
  };

  for (const expected of golden('balanced-v1/join-errors.json')) {
    it(`answers ${expected.case} as the real one`, async () => {
      const answer = await (ASKED[expected.case] ?? expect.fail('no such case'))();
      expect(answer.status).to.equal(expected.status);
      expect(answer.body).to.equal(expected.body);
      if (expected.contentType !== undefined) expect(answer.contentType).to.equal(expected.contentType);
    });
  }

  const token = (roles: string[], joinMethod = 'token', ttlSeconds = 60) =>
    cluster.addToken({roles, joinMethod, ttlSeconds});
  const withToken = (value: string, changes: Record<string, unknown> = {}) =>
    ask({token: value, ...changes}, HOST_IN_EXTRA);
  const stored = (value: string) => cluster.addToken({roles: ['Node'], ttlSeconds: 60, value});

  // Cases whose answer depends on services of others (AWS, an OIDC issuer, Kubernetes) or on token creation rules.
  const ELSEWHERE = /junk|in_cluster|tpm|bound_keypair|suggested labels/;

  const EXTRA: readonly [RegExp, (name: string) => Promise<HttpAnswer>][] = [
    [/^created already expired|^expired token/, () => withToken(token(['Node'], 'token', -1))],
    [
      /after delete|^deleted/,
      () => {
        const value = token(['Node']);
        cluster.removeToken(value);
        return withToken(value);
      },
    ],
    [/^token role Proxy only, ask Node/, () => withToken(token(['Proxy']))],
    [
      /^token role Proxy only, ask (Proxy|Instance)/,
      (name) => withToken(token(['Proxy']), {role: name.split(' ').pop()}),
    ],
    [/^token role Bot, ask Node/, () => withToken(token(['Bot']))],
    [/^token role Bot, ask Instance/, () => withToken(token(['Bot']), {role: 'Instance'})],
    [/^(iam|azure|oracle|ec2|github|gcp|gitlab) /, (name) => withToken(token(['Node'], name.split(' ')[0]))],
    [/^token created with role "node"/, () => withToken(token(['node']))],
    [/^token name ""/, () => withToken('')],
    [/^token name x\*5000/, () => withToken(stored('x'.repeat(5000)))],
    [/^token name (".*")/, (name) => withToken(JSON.parse(/"(?:[^"\\]|\\.)*"/.exec(name)?.[0] ?? '""'))],
    [/^token with trailing newline/, () => withToken(`${stored('padded')}\n`)],
    [/^token with leading space/, () => withToken(` ${stored('padded')}`)],
    [/^token upper case/, () => withToken(stored('lower').toUpperCase())],
    [/^token without expiry/, () => withToken(cluster.addToken({roles: ['Node']}))],
    [/^Node\+Proxy token/, () => withToken(token(['Node', 'Proxy']))],
    [/^node_name empty/, () => withToken(token(['Node']), {node_name: ''})],
    [/^node_name odd/, () => withToken(token(['Node']), {node_name: 'we_b "x" é'})],
    [/^hostID not a uuid/, () => withToken(token(['Node']), {hostID: 'not-a-uuid'})],
    [/^hostID with slash/, () => withToken(token(['Node']), {hostID: 'a/b'})],
    [/^hostID upper-case/, () => withToken(token(['Node']), {hostID: HOST.toUpperCase()})],
    [
      /^join with locked hostID$/,
      () => {
        cluster.lock(LOCKED, 'stolen');
        return withToken(token(['Node']), {hostID: LOCKED});
      },
    ],
    // A lock takes a moment to be seen on the real one; here it holds at once.
    [/^join with locked hostID, at once/, () => withToken(token(['Node']))],
    [
      /^valid|^before delete|^right after create|^token without join_method/,
      () => withToken(token(['Node'])),
    ],
  ];

  for (const expected of golden('balanced-v1/join-errors-extra.json')) {
    if (ELSEWHERE.test(expected.case)) continue;
    it(`answers "${expected.case.slice(0, 60)}" as the real one`, async () => {
      const [, asking] = EXTRA.find(([pattern]) => pattern.test(expected.case)) ?? [];
      const answer = await (asking ?? expect.fail(`no case ${expected.case}`))(expected.case);
      expect(answer.status, answer.body).to.equal(expected.status);
      if (expected.status !== 200) expect(answer.body).to.equal(expected.body);
      else
        expect(Object.keys(JSON.parse(answer.body))).to.eql(['ssh', 'tls', 'tls_ca_certs', 'ssh_ca_certs']);
    });
  }
});
