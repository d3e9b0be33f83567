import {createPublicKey} from 'node:crypto';
import {expect} from 'chai';
import type {Authority} from '../../../src/cluster/cluster.js';
import {newTlsKey, type TlsKey} from '../../../src/devcluster/authority.js';
import {authorityName, issueLeaf} from '../../../src/devcluster/x509.js';
import type {HostKey} from '../../../src/host/facts.js';
import {reasonsOf, whatIsDue} from '../../../src/operations/due.js';
import {type CertificateFields, FOREVER, signCertificate} from '../../../src/ssh/certificate.js';
import {formatPublicKey, generateKey, parsePublicKey, publicBlob} from '../../../src/ssh/key.js';
import {hostKey} from '../../support/cluster-client.js';

const [OLD, NEW, OTHER] = [generateKey('ed25519'), generateKey('ed25519'), generateKey('ed25519')];
const [OLD_TLS, NEW_TLS] = [tlsKey(), tlsKey()];
const NODE = generateKey('p256');
const NOW = new Date('2026-06-01T00:00:00Z');
const DAY = 86_400;
const KEY: HostKey = {...parsePublicKey(hostKey()), file: '/k', plainBy: [], certificateBy: []};
const line = (key: typeof OLD) => formatPublicKey(publicBlob(key));
const days = (count: number) => new Date(NOW.getTime() + count * DAY * 1000);
const seconds = (count: number) => BigInt(days(count).getTime() / 1000);

function tlsKey(): TlsKey {
  return newTlsKey(generateKey('p256'), authorityName('dev.example'));
}

/** In the middle of a rotation: the new keys sign, the old ones are trusted. */
const HOSTS: Authority = {
  active: [line(NEW)],
  additional: [line(OLD)],
  tls: {active: [NEW_TLS.certificate], additional: [OLD_TLS.certificate]},
  rotation: {phase: 'update_clients', id: 'x', mode: 'manual'},
};

function ssh(fields: Partial<CertificateFields> = {}, signer = NEW): string {
  return signCertificate(
    {
      type: 'host',
      key: KEY.blob,
      principals: ['web1', 'web1.dev.example'],
      validAfter: seconds(-1),
      validBefore: FOREVER,
      ...fields,
    },
    signer,
  );
}

function tls(from = -1, to = 3650, issuer = NEW_TLS): string {
  return issueLeaf(issuer, {
    subject: [['commonName', 'x']],
    publicKey: createPublicKey(NODE),
    names: [],
    validFrom: days(from),
    validTo: days(to),
  });
}

const due = (certificate: string | undefined, own = tls()) => {
  const certificates = new Map(certificate === undefined ? [] : [['/k', certificate]]);
  const held = {certificates, identity: {certificate: own}};
  return reasonsOf(whatIsDue(held, HOSTS, {keys: [KEY], names: ['web1']}, NOW));
};

describe('what a host needs signed again', () => {
  it('is nothing when the active keys have signed, for these names, with no end in sight', () => {
    expect(due(ssh())).to.deep.equal([]);
  });

  const reasons: readonly (readonly [string, () => string | undefined, RegExp])[] = [
    ['there is none', () => undefined, /^ed25519: there is no certificate yet$/],
    ['it cannot be read', () => 'ssh-ed25519-cert-v01@openssh.com AAAA', /cannot be read$/],
    ['it is empty', () => '', /cannot be read$/],
    [
      'a key that is trusted, and not active, has signed',
      () => ssh({}, OLD),
      /by a key that is not active any more$/,
    ],
    ['a stranger has signed', () => ssh({}, OTHER), /signed by SHA256:\S+, which is not/],
    ['it is for another host key', () => ssh({key: publicBlob(OTHER)}), /it is for the key SHA256:/],
    ['a name is missing', () => ssh({principals: ['web1.dev.example']}), /does not name web1$/],
    ['it names nobody', () => ssh({principals: []}), /names no principals/],
    ['it is for users', () => ssh({type: 'user'}), /not a host certificate/],
    [
      'it has expired',
      () => ssh({validAfter: seconds(-10), validBefore: seconds(0)}),
      /expired on 2026-06-01/,
    ],
    ['it is not valid yet', () => ssh({validAfter: seconds(1)}), /not valid before 2026-06-02/],
    ['it has options that no client knows', () => ssh({criticalOptions: {x: 'y'}}), /critical options/],
    ['its signature is wrong', () => forged(), /signature is wrong/],
  ];
  for (const [what, certificate, says] of reasons)
    it(`is a certificate: ${what}`, () => {
      const [reason, ...others] = due(certificate());
      expect(reason)
        .to.match(/^ed25519: /)
        .and.match(says);
      expect(others).to.deep.equal([]);
    });

  it('is what has less than a third of its life left, and not before', () => {
    const ends = (from: number, to: number) =>
      due(ssh({validAfter: seconds(from), validBefore: seconds(to)}));
    expect(ends(-20, 10)).to.deep.equal([]);
    expect(ends(-21, 10).join()).to.match(/^ed25519: it ends on 2026-06-11/);
    expect(ends(-1, 3650)).to.deep.equal([]);
    const own = (from: number, to: number) => due(ssh(), tls(from, to));
    expect(own(-20, 10)).to.deep.equal([]);
    expect(own(-21, 10).join()).to.match(/^this node's own certificate: it ends on Jun 11/);
    expect(own(-20, -10).join(), 'long over').to.match(/it ends on May 22/);
  });

  it('is the own certificate, where an active key has not signed it', () => {
    expect(due(ssh(), tls(-1, 3650, OLD_TLS))).to.deep.equal([
      "this node's own certificate: it is signed by a key that is not active any more",
    ]);
    expect(due(ssh(), tls(-1, 3650, tlsKey())).join()).to.match(/not active any more/);
  });

  it('tells of each key by itself, in their order, and of the own certificate last', () => {
    const second: HostKey = {...parsePublicKey(hostKey('p256')), file: '/k2', plainBy: [], certificateBy: []};
    const held = {certificates: new Map(), identity: {certificate: tls(-1, 3650, OLD_TLS)}};
    const told = whatIsDue(held, HOSTS, {keys: [second, KEY], names: []}, NOW);
    expect([...told.certificates.keys()].map(({file}) => file)).to.deep.equal(['/k2', '/k']);
    expect(reasonsOf(told).map((text) => text.split(':')[0])).to.deep.equal([
      'ecdsa',
      'ed25519',
      "this node's own certificate",
    ]);
  });
});

/** The last byte of the signature is another one. */
function forged(): string {
  const [type = '', base64 = ''] = ssh().split(' ');
  const blob = Buffer.from(base64, 'base64');
  blob[blob.length - 1] = (blob.at(-1) ?? 0) ^ 1;
  return `${type} ${blob.toString('base64')}`;
}
