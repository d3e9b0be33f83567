// A host of an embedded cluster that looks at a rotation from outside, by a client that shares no code with the
// program's own.

import {randomUUID, X509Certificate} from 'node:crypto';
import {expect} from 'chai';
import {AuthService} from '../../src/cluster/gen/auth_pb.js';
import {TrustService} from '../../src/cluster/gen/teleport/trust/v1/trust_pb.js';
import type {CAKeySet} from '../../src/cluster/gen/types_pb.js';
import type {DevCluster} from '../../src/devcluster/index.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {formatPublicKey} from '../../src/ssh/key.js';
import {
  dialAuth,
  GrpcClient,
  joinFields,
  newHostKeys,
  postJoin,
  readJoin,
  request,
  sshLine,
  tlsPem,
} from './raw-client.js';

export const observerKeys = newHostKeys();
const pkcs8 = observerKeys.tls.export({type: 'pkcs8', format: 'pem'});

interface Keys {
  readonly ssh: readonly string[];
  readonly tls: readonly string[];
}

const sshOf = (line: string) => line.trim().split(' ').slice(0, 2).join(' ');
export const signerOf = (line: string) => formatPublicKey(parseCertificate(line.trim()).authority);
const issuerOf = (pem: string, authorities: readonly string[]) => {
  const leaf = new X509Certificate(pem);
  return authorities.find((ca) => leaf.verify(new X509Certificate(ca).publicKey)) ?? 'unknown';
};
const pems = (text: string) => text.match(/-----BEGIN CERT[\s\S]*?-----END CERTIFICATE-----\n/g) ?? [];

/** A host of the cluster, its client certificates by the keys that have signed them, and what it sees. */
export class Observer {
  readonly hostId = randomUUID();
  readonly #certificates = new Map<string, string>();
  /** Keys by the name that this test gives them. */
  readonly #names = new Map<string, string>();
  readonly #tls: string[] = [];

  /** Remembers the active keys by one name and the additional ones by another. */
  name(set: Keys, name: string): void {
    for (const key of [...set.ssh, ...set.tls]) this.#names.set(key, name);
    this.#tls.push(...set.tls);
  }

  #called(keys: readonly string[]): string {
    return keys.map((key) => this.#names.get(key) ?? 'unknown').join(' ');
  }

  async connected(cluster: DevCluster): Promise<GrpcClient> {
    for (const cert of [...this.#certificates.values()].reverse()) {
      const client = new GrpcClient(await dialAuth(cluster, {cert, key: pkcs8}));
      if ((await answered(client)) === 'ok') return client;
      client.close();
    }
    const joined = readJoin(await postJoin(cluster, joinFields(cluster.token, observerKeys, this.hostId)));
    this.#certificates.set('old', joined.tls);
    return this.connected(cluster);
  }

  async authority(cluster: DevCluster, type: 'host' | 'openssh') {
    const auth = await this.connected(cluster);
    const {spec} = await auth.call(TrustService.method.getCertAuthority, {type, domain: cluster.name});
    auth.close();
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
    const set = (from: CAKeySet | undefined): Keys => ({
      ssh: (from?.ssh ?? []).map(({publicKey}) => sshOf(text(publicKey))),
      tls: (from?.tls ?? []).map(({cert}) => text(cert)),
    });
    return {
      active: set(spec?.activeKeys),
      additional: set(spec?.additionalTrustedKeys),
      rotation: spec?.rotation,
    };
  }

  async host(cluster: DevCluster): Promise<Record<string, string>> {
    const {active, additional} = await this.authority(cluster, 'host');
    const joined = readJoin(await postJoin(cluster, joinFields(cluster.token, observerKeys, randomUUID())));
    const renewed = await this.renew(cluster);
    const exported = async (type: string) =>
      (await request(cluster, `/webapi/auth/export?type=${type}`)).body;
    const hostLines = (await exported('host')).trim().split('\n');
    const tls = this.#called(pems(await exported('tls')));
    expect(this.#called(pems(await exported('tls-host')))).to.equal(tls);
    // SSH and TLS alike, everywhere.
    expect(this.#called(active.tls)).to.equal(this.#called(active.ssh));
    expect(this.#called(additional.tls)).to.equal(this.#called(additional.ssh));
    for (const {ssh, tls: pem, tlsAuthorities, sshAuthorities} of [joined, renewed]) {
      expect(this.#called([issuerOf(pem, tlsAuthorities)])).to.equal(this.#called([signerOf(ssh)]));
      expect(this.#called(tlsAuthorities)).to.equal(this.#called(sshAuthorities.map(sshOf)));
    }
    const lists = [joined, renewed].map(({tlsAuthorities}) => this.#called(tlsAuthorities));
    const signers = [joined, renewed].map(({ssh}) => this.#called([signerOf(ssh)]));
    return {
      active: this.#called(active.ssh),
      additional: this.#called(additional.ssh),
      export: this.#called(hostLines.map((line) => line.split(' ').slice(2, 4).join(' '))),
      tls,
      signs: one(signers),
      lists: one(lists),
      serves: one([await this.#served(cluster, false), await this.#served(cluster, true)]),
      ...(await this.#accepted(cluster)),
    };
  }

  async renew(cluster: DevCluster) {
    const auth = await this.connected(cluster);
    const certs = await auth.call(AuthService.method.generateHostCerts, {
      hostId: this.hostId,
      nodeName: 'db1',
      role: 'Node',
      publicTlsKey: Buffer.from(tlsPem(observerKeys.tls)),
      publicSshKey: Buffer.from(sshLine(observerKeys.ssh)),
    });
    auth.close();
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
    const [ssh, tls] = [text(certs.ssh), text(certs.tls)];
    this.#certificates.set(this.#called([signerOf(ssh)]), tls);
    return {ssh, tls, tlsAuthorities: certs.tlsCaCerts.map(text), sshAuthorities: certs.sshCaCerts.map(text)};
  }

  /** Who has signed what Auth presents. */
  async #served(cluster: DevCluster, direct: boolean): Promise<string> {
    const socket = await dialAuth(cluster, {direct});
    const served = socket.getPeerX509Certificate()?.toString() ?? expect.fail('no certificate');
    socket.destroy();
    return this.#called([issuerOf(served, this.#tls)]);
  }

  /** What Auth says to each client certificate that this host has ever had, the same on both ways to it. */
  async #accepted(cluster: DevCluster): Promise<Record<string, string>> {
    const outcomes: Record<string, string> = {};
    for (const [name, cert] of this.#certificates) {
      const ways = [false, true].map(async (direct) => {
        const client = new GrpcClient(await dialAuth(cluster, {cert, key: pkcs8, direct}));
        const outcome = await answered(client);
        client.close();
        return outcome;
      });
      outcomes[`client ${name}`] = one(await Promise.all(ways));
    }
    return outcomes;
  }

  async openssh(cluster: DevCluster): Promise<Record<string, string>> {
    const {active, additional} = await this.authority(cluster, 'openssh');
    expect([...active.tls, ...additional.tls]).to.eql([]);
    const lines = (await request(cluster, '/webapi/auth/export?type=openssh')).body.trim().split('\n');
    const login = {logins: ['root'], user: 'root', roles: [], ttlSeconds: 60};
    const {certificate} = await cluster.login(login);
    return {
      active: this.#called(active.ssh),
      additional: this.#called(additional.ssh),
      export: this.#called(lines.map((line) => line.split(' ').slice(1, 3).join(' '))),
      login: this.#called([signerOf(certificate)]),
    };
  }
}

/** Values that have to be the same, as one. */
function one(values: readonly string[]): string {
  expect(new Set(values).size, values.join(' and ')).to.equal(1);
  return values[0] ?? '';
}

/** "ok", or "refused" in whatever way. */
export async function answered(client: GrpcClient): Promise<string> {
  return client.call(TrustService.method.getCertAuthorities, {type: 'openssh'}).then(
    () => 'ok',
    () => 'refused',
  );
}
