import {execFileSync} from 'node:child_process';
import {createPublicKey, type KeyObject, X509Certificate} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import fc from 'fast-check';
import {type KeyType, newKey} from '../../../src/devcluster/keys.js';
import {authorityName, type Issuer, issueAuthority, issueLeaf} from '../../../src/devcluster/x509.js';

// Certificates beside those of a real 18.0.0: same structure, and OpenSSL agrees that they hold.

const golden = (file: string) => new URL(`../../golden/teleport-18.0.0/${file}`, import.meta.url).pathname;

const day = 24 * 3600 * 1000;
const now = () => new Date();

/** The tree of types, lengths apart, and the OIDs and texts that are not of the moment. */
function structure(file: string): string {
  return execFileSync('openssl', ['asn1parse', '-in', file], {encoding: 'utf8'})
    .split('\n')
    .map((line) => line.replace(/^ *\d+:d=(\d+) +hl=\d+ l= *\d+ /, '$1 ').trimEnd())
    .map((line) => line.replace(/(INTEGER +:)[0-9A-F]{20,}/, '$1N').replace(/(UTCTIME +:).*/, '$1T'))
    .map((line) => line.replace(/(\[HEX DUMP\]:3016801[0-9A-F]|\[HEX DUMP\]:0414).*/, '$1'))
    .map((line) => line.replace(/:\d{30,}$/, ':SERIAL'))
    .join('\n');
}

describe('devcluster: X.509', () => {
  let dir: string;
  const keys = new Map<KeyType, KeyObject>();
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'x509-'));
    for (const type of ['p256', 'rsa2048', 'ed25519'] as const) keys.set(type, await newKey(type));
  });
  after(() => rmSync(dir, {recursive: true, force: true}));
  const key = (type: KeyType) => keys.get(type) ?? expect.fail(type);
  const save = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const issuer = (type: KeyType, cluster = 'bal.lab.test'): Issuer => ({
    key: key(type),
    name: authorityName(cluster),
  });
  const leaf = (ca: Issuer, cluster = 'bal.lab.test', type: KeyType = 'p256', names?: string[]) =>
    issueLeaf(ca, {
      subject: [
        ['street', ''],
        ['postalCode', 'null'],
        ['organization', 'Node'],
        ['commonName', `f97a0bac-cb6a-4cc4-bb4d-5e7c158e2b45.${cluster}`],
        ['teleportCluster', cluster],
      ],
      publicKey: createPublicKey(key(type)),
      names: names ?? ['db1.example.com', '10.0.0.5', 'db1'],
      validFrom: now(),
      validTo: new Date(Date.now() + day),
    });

  for (const [suite, type, cluster] of [
    ['balanced-v1', 'p256', 'bal.lab.test'],
    ['legacy', 'rsa2048', 'leg.lab.test'],
  ] as const) {
    it(`has the structure of the real one, ${suite}`, () => {
      const ca = issuer(type, cluster);
      const ours = {'tls-ca': issueAuthority(ca, now()), tls: leaf(ca, cluster)};
      for (const [name, text] of Object.entries(ours)) {
        const mask = (text: string) => text.replaceAll(/[0-9a-f-]{36}(?=\.\w+\.lab)/g, 'UUID');
        const real = mask(structure(golden(`${suite}/${name}.pem`)));
        expect(mask(structure(save(`${name}.pem`, text)))).to.equal(real);
      }
    });
  }

  for (const ca of ['p256', 'rsa2048', 'ed25519'] as const) {
    for (const type of ['p256', 'rsa2048', 'ed25519'] as const) {
      it(`convinces OpenSSL: ${type} leaf of ${ca} authority`, () => {
        const authority = issuer(ca);
        const root = save('root.pem', issueAuthority(authority, now()));
        const certificate = save('leaf.pem', leaf(authority, 'bal.lab.test', type));
        for (const purpose of ['sslserver', 'sslclient']) {
          const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', root];
          const verified = execFileSync('openssl', [...args, certificate], {encoding: 'utf8'});
          expect(verified).to.match(/OK\n$/);
        }
        const parsed = new X509Certificate(readFileSync(certificate));
        expect(parsed.checkPrivateKey(key(type))).to.equal(true);
      });
    }
  }

  it('identifies a key as the real one does', () => {
    const real = readFileSync(golden('balanced-v1/tls-ca.pem'), 'utf8');
    const identifier = (text: string) =>
      execFileSync('openssl', ['x509', '-noout', '-ext', 'subjectKeyIdentifier'], {
        input: text,
        encoding: 'utf8',
      });
    const spki = createPublicKey(real).export({type: 'spki', format: 'der'});
    const [expected] = /[0-9A-F:]{59}/.exec(identifier(real)) ?? [];
    const hash = execFileSync('openssl', ['dgst', '-sha1', '-r'], {
      input: spki.subarray(-65),
      encoding: 'utf8',
    });
    expect(hash.slice(0, 40)).to.equal(expected?.replaceAll(':', '').toLowerCase());
  });

  it('writes any name and any date that can be read back', () => {
    const ca = issuer('p256');
    const name = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.constant('*.teleport.cluster.local'));
    fc.assert(
      fc.property(
        fc.uniqueArray(name, {minLength: 1, maxLength: 20}),
        fc
          .string({unit: 'grapheme', minLength: 1, maxLength: 60})
          .filter((text) => !/[\p{Cc}\\=+/,;<>"#]/u.test(text)),
        fc.date({min: new Date('1990-01-01'), max: new Date('2120-01-01'), noInvalidDate: true}),
        (names, common, date) => {
          const text = issueLeaf(ca, {
            subject: [['commonName', common]],
            publicKey: createPublicKey(key('ed25519')),
            names,
            validFrom: date,
            validTo: new Date(date.getTime() + day),
          });
          const parsed = new X509Certificate(text);
          expect(parsed.verify(createPublicKey(ca.key))).to.equal(true);
          expect(Date.parse(parsed.validFrom)).to.equal(Math.floor(date.getTime() / 1000) * 1000);
          for (const one of names) {
            const found =
              one.includes(':') || /^[\d.]+$/.test(one)
                ? parsed.checkIP(one)
                : parsed.checkHost(one.replace('*', 'x'));
            expect(found, one).not.to.equal(undefined);
          }
        },
      ),
      {numRuns: 60},
    );
  });
});
