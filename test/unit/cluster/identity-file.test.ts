import {createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate} from 'node:crypto';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {inspect} from 'node:util';
import {expect} from 'chai';
import {parseIdentity} from '../../../src/cluster/identity-file.js';
import {Failure} from '../../../src/errors.js';
import {parseCertificate} from '../../../src/ssh/certificate.js';
import {opensshPrivateKey} from '../../../src/ssh/key.js';
import {identityText, partsOf} from '../../support/identity.js';

function refusalOf(text: string): Failure {
  try {
    parseIdentity(text, 'admin.id');
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  return expect.fail('was not refused');
}

describe('an identity file', () => {
  let directory: string;
  let text: string;
  let parts: ReturnType<typeof partsOf>;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'agentless-identity-'));
    text = await identityText(directory, {roles: ['editor', 'access'], logins: ['root']});
    parts = partsOf(text);
  });
  after(() => rmSync(directory, {recursive: true}));

  it('is laid out as `tctl auth sign --format=file` does it', () => {
    const kinds = text
      .split('\n')
      .map((line) => /^-----BEGIN ([A-Z ]+)|^(@cert-authority)|^(\S+-cert-v01@openssh\.com) /.exec(line))
      .flatMap((match) => match?.slice(1).find(Boolean) ?? []);
    expect(kinds).to.deep.equal([
      'PRIVATE KEY',
      'ecdsa-sha2-nistp256-cert-v01@openssh.com',
      'CERTIFICATE',
      '@cert-authority',
      'CERTIFICATE',
    ]);
    const certificate = new X509Certificate(parts.certificate);
    const subject: Record<string, unknown> = {...certificate.toLegacyObject().subject};
    expect(subject['O']).to.have.members(['editor', 'access']);
    expect(subject['L']).to.have.members(['root', '-teleport-internal-join']);
    expect(subject['CN']).to.equal('alice');
    expect(subject['1.3.9999.1.7']).to.equal('dev.example');
    expect(subject['1.3.9999.2.7']).to.match(/^[0-9a-f-]{36}\.dev\.example$/);
    const ssh = parseCertificate(parts.ssh);
    expect(ssh).to.deep.include({type: 'user', keyId: 'alice'});
    expect(subject['1.3.9999.1.20']).to.equal('local');
    expect([...ssh.extensions.keys()]).to.include.members(['impersonator', 'teleport-roles']);
    expect(ssh.principals).to.deep.equal(['root', '-teleport-internal-join']);
    expect(parts.knownHosts[0]).to.match(
      /^@cert-authority dev\.example,\*\.dev\.example ssh-ed25519 \S+ type=host$/,
    );
  });

  it('says who it is, of which cluster, for how long, and by what Auth is verified', () => {
    const {user, cluster, expires, certificate, authorities, key} = parseIdentity(text, 'admin.id');
    expect({user, cluster}).to.deep.equal({user: 'alice', cluster: 'dev.example'});
    expect(expires.getTime()).to.be.within(Date.now() + 3_500_000, Date.now() + 3_601_000);
    expect(certificate).to.equal(new X509Certificate(parts.certificate).toString());
    expect(authorities).to.deep.equal(parts.authorities.map((pem) => new X509Certificate(pem).toString()));
    const own = createPublicKey(createPrivateKey(key.reveal()));
    expect(new X509Certificate(certificate).publicKey.equals(own)).to.equal(true);
  });

  it('comes with RSA keys from a cluster of the legacy suite', async () => {
    const legacy = await identityText(directory, {suite: 'legacy'});
    expect(createPrivateKey(parseIdentity(legacy, 'f').key.reveal()).asymmetricKeyType).to.equal('rsa');
    const pkcs1 = createPrivateKey(partsOf(legacy).key).export({type: 'pkcs1', format: 'pem'}).toString();
    const other = legacy.replace(partsOf(legacy).key, pkcs1);
    expect(parseIdentity(other, 'f').key.reveal()).to.equal(parseIdentity(legacy, 'f').key.reveal());
  });

  it('is read with CRLF, without SSH lines, with words between, with several authorities', async () => {
    const {key, certificate, authorities} = parts;
    const variants = [
      text.replaceAll('\n', '\r\n'),
      [key, certificate, ...authorities].join(''),
      `a note\n${text}\nanother\n`,
      text + authorities.join(''),
    ];
    for (const variant of variants) expect(parseIdentity(variant, 'f').user).to.equal('alice');
    const stranger = partsOf(await identityText(directory, {name: 'other.example'})).authorities;
    const {authorities: kept} = parseIdentity(text + stranger.join(''), 'f');
    expect(kept, 'authorities of other clusters verify nothing here').to.have.length(1);
  });

  it('tells its cluster by its authorities when the certificate does not', () => {
    // The number of the extension, spoilt: the name is the same length, so the DER stays whole.
    const der = Buffer.from(parts.certificate.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
    const oid = Buffer.from('06052bce0f0107', 'hex');
    const at = der.indexOf(oid);
    expect(at).to.be.greaterThan(0);
    der.writeUInt8(0x63, at + oid.length - 1);
    const pem = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
    expect(parseIdentity(text.replace(parts.certificate, pem), 'f').cluster).to.equal('dev.example');
  });

  const refusals: readonly (readonly [string, () => string | Promise<string>, RegExp])[] = [
    ['empty', () => '', /it has no TLS|it has no private key/],
    ['something else', () => 'root:x:0:0\n', /it has no private key/],
    ['cut off in the key', () => text.slice(0, 120), /it is cut off/],
    ['cut off in the last certificate', () => text.slice(0, -40), /it is cut off/],
    ['a key alone', () => parts.key, /it has no TLS certificate/],
    ['certificates alone', () => parts.certificate + parts.authorities.join(''), /it has no private key/],
    [
      'without authorities',
      () => text.replace(parts.authorities.join(''), ''),
      /no authority of the cluster/,
    ],
    [
      'with authorities of another cluster only',
      async () => {
        const other = partsOf(await identityText(directory, {name: 'other.example'})).authorities;
        return text.replace(parts.authorities.join(''), other.join(''));
      },
      /no authority of the cluster dev\.example/,
    ],
    [
      'authorities where the certificate should be',
      () => parts.authorities.join('') + text.replace(parts.certificate, ''),
      /key in admin\.id is not the one of its certificate/,
    ],
    [
      'with the key of somebody else',
      async () => text.replace(parts.key, partsOf(await identityText(directory)).key),
      /the key in admin\.id is not the one of its certificate/,
    ],
    [
      'with a key that ssh wrote',
      async () => text.replace(parts.key, await opensshPrivateKey(generateKeyPairSync('ed25519').privateKey)),
      /it is a key for ssh/,
    ],
    [
      'with a passphrase',
      () => {
        const sealed = createPrivateKey(parts.key).export({
          type: 'pkcs8',
          format: 'pem',
          cipher: 'aes-256-cbc',
          passphrase: 'x',
        });
        return text.replace(parts.key, sealed.toString());
      },
      /it is protected by a passphrase/,
    ],
    [
      'with a damaged key',
      () => text.replace(parts.key, damaged(parts.key)),
      /a private key that cannot be read/,
    ],
    [
      'with a damaged certificate',
      () => text.replace(parts.certificate, damaged(parts.certificate)),
      /a certificate that cannot be read/,
    ],
  ];
  for (const [what, make, says] of refusals) {
    it(`is refused: ${what}, and nothing of it is told`, async () => {
      const made = await make();
      const refused = refusalOf(made);
      expect(refused).to.include({code: 'USAGE', exitCode: 2});
      expect(refused.message)
        .to.match(says)
        .and.match(/^[^A-Z].*[^.]$/);
      expect(refused.hint).to.be.a('string').that.is.not.empty;
      const told = inspect(refused, {depth: 9, showHidden: true});
      for (const line of made.split('\n').filter((one) => /^[A-Za-z0-9+/=]{40,}$/.test(one)))
        expect(told).to.not.include(line);
    });
  }

  it('is refused once it has expired, with the clock of this host', async () => {
    const refused = refusalOf(await identityText(directory, {ttlSeconds: -60}));
    expect(refused).to.include({code: 'REQUEST_REFUSED', exitCode: 4});
    expect(refused.message).to.match(/^the identity of alice in admin\.id has expired on 20\d\d-/);
    expect(refused.hint).to.match(/tctl auth sign.*this host's clock says 20\d\d-/);
  });

  it('shows its key to nobody by accident', () => {
    const identity = parseIdentity(text, 'admin.id');
    const shown = `${JSON.stringify(identity)}${inspect(identity, {depth: 9, showHidden: true})}`;
    expect(shown).to.include('[secret]');
    expect(shown).to.not.include('PRIVATE KEY');
  });
});

/** The same block with a byte of its DER missing. */
function damaged(pem: string): string {
  const [head, body, ...tail] = pem.split('\n');
  return [head, body?.slice(8), ...tail].join('\n');
}
