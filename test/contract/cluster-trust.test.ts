import {execFile} from 'node:child_process';
import {copyFileSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {clientOf, failure, joined, joinRequest} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// Whom the client believes to be the cluster's web address.

describe('the web certificate', () => {
  let server: TemporaryCluster;
  let other: TemporaryCluster;

  before(async () => {
    [server, other] = await Promise.all([temporaryCluster(), temporaryCluster({name: 'other.example'})]);
  });
  after(() => Promise.all([server.stop(), other.stop()]));

  const joins = () => server.stats.requests['POST /webapi/host/credentials'] ?? 0;

  it('of an unknown authority: refused, with a hint at --ca-file', async () => {
    await using cluster = clientOf(server, {caFile: []});
    const refused = await failure(cluster.join(joinRequest(server.token)));
    expect(refused).to.include({code: 'CLUSTER_UNTRUSTED', exitCode: 5});
    expect(refused.message)
      .to.contain('signed by an authority that this host does not know')
      .and.contain(server.proxy);
    expect(refused.hint).to.contain('--ca-file');
    expect(refused.detail).to.contain('issued by').and.contain('dev.example web');
    expect(joins()).to.equal(0);
  });

  it('of another authority than the given one: refused', async () => {
    await using cluster = clientOf(server, {caFile: [readFileSync(other.caFile, 'utf8')]});
    const refused = await failure(cluster.describe());
    expect(refused).to.include({code: 'CLUSTER_UNTRUSTED'});
    expect(refused.message).to.contain('signed neither by an authority of --ca-file nor');
  });

  it('of one among several given authorities: accepted', async () => {
    const caFile = [readFileSync(other.caFile, 'utf8') + readFileSync(server.caFile, 'utf8')];
    await using cluster = clientOf(server, {caFile});
    expect(await cluster.describe()).to.include({name: 'dev.example'});
  });

  it('for another name: refused, and says for which', async () => {
    await using wrong = await temporaryCluster({testOnlyWebCertificate: {names: ['proxy.example.com']}});
    await using cluster = clientOf(wrong);
    const refused = await failure(cluster.describe());
    expect(refused).to.include({code: 'CLUSTER_UNTRUSTED'});
    expect(refused.message).to.contain('is for another name');
    expect(refused.detail).to.contain('proxy.example.com');
  });

  it('that has expired: refused, and says when', async () => {
    await using expired = await temporaryCluster({testOnlyWebCertificate: {validTo: new Date('2025-02-01')}});
    await using cluster = clientOf(expired);
    const refused = await failure(cluster.describe());
    expect(refused).to.include({code: 'CLUSTER_UNTRUSTED'});
    expect(refused.message).to.contain('has expired');
    expect(refused.detail).to.contain('2025').and.contain("this host's clock");
  });

  it('is not looked at with --insecure, which warns', async () => {
    const warnings: string[] = [];
    const onWarning = (text: string) => warnings.push(text);
    await using cluster = clientOf(server, {caFile: [], insecure: true, onWarning});
    const {identity} = await cluster.join(joinRequest(server.token));
    expect(identity.cluster).to.equal(server.name);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.contain('--insecure');
  });

  it('has to verify although a pin is given', async () => {
    await using cluster = clientOf(server, {caFile: [], caPin: [server.caPin]});
    expect(await failure(cluster.join(joinRequest(server.token)))).to.include({code: 'CLUSTER_UNTRUSTED'});
  });

  it('is not looked at with --insecure, but pins are', async () => {
    const caPin = [other.caPin];
    await using cluster = clientOf(server, {caFile: [], insecure: true, caPin});
    expect((await failure(cluster.join(joinRequest(server.token)))).detail).to.equal(
      `received ${server.caPin}`,
    );
  });

  it('refuses a --ca-file without certificates', () => {
    for (const text of ['', 'hello', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----']) {
      expect(() => clientOf(server, {caFile: [text]})).to.throw('holds no certificate');
    }
  });

  it('of an authority the system trusts: accepted besides --ca-file', async () => {
    // The cluster's own authorities among the trusted ones are the trap of a chain of two, see below.
    const {identity} = await joined(server);
    const trusted = join(server.dir, 'trusted.pem');
    writeFileSync(trusted, [readFileSync(server.caFile, 'utf8'), ...identity.authorities].join('\n'));
    const wanted = {proxy: server.proxy, caFile: other.caFile, token: server.token};
    const env = {...process.env, NODE_EXTRA_CA_CERTS: trusted};
    expect(await runJoin(wanted, env)).to.equal(server.name);
    expect(await runJoin(wanted, {...env, NODE_EXTRA_CA_CERTS: ''})).to.equal('CLUSTER_UNTRUSTED');
  });

  it("of an authority in the system's bundle or directory, which Node does not read: accepted", async () => {
    const nothing = join(server.dir, 'nothing.pem');
    const directory = join(server.dir, 'authorities');
    mkdirSync(directory);
    writeFileSync(join(directory, 'README'), 'not a certificate\n');
    copyFileSync(server.caFile, join(directory, 'site.pem'));
    for (const [env, ends] of [
      [{SSL_CERT_FILE: server.caFile}, 'accepted'],
      [{SSL_CERT_FILE: nothing, SSL_CERT_DIR: `/nowhere:${directory}`}, 'accepted'],
      [{SSL_CERT_FILE: nothing}, 'CLUSTER_UNTRUSTED'],
      [{SSL_CERT_FILE: other.caFile}, 'CLUSTER_UNTRUSTED'],
    ] as const) {
      for (const caFile of [[], [readFileSync(other.caFile, 'utf8')]]) {
        await using cluster = clientOf(server, {caFile, env});
        const asked = cluster.describe().then(() => 'accepted');
        const end = ends === 'accepted' ? await asked : (await failure(asked)).code;
        expect(end, JSON.stringify(env)).to.equal(ends);
      }
    }
  });
});

function runJoin(wanted: object, env: NodeJS.ProcessEnv): Promise<string> {
  const script = new URL('../support/join-once.ts', import.meta.url).pathname;
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, ['--import', 'tsx', script], {env}, (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout);
    });
    child.stdin?.end(JSON.stringify(wanted));
  });
}
