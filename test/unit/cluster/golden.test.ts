import {X509Certificate} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {create, fromBinary} from '@bufbuild/protobuf';
import {expect} from 'chai';
import {readAuthority} from '../../../src/cluster/authority.js';
import {readFind} from '../../../src/cluster/find.js';
import {CertsSchema, ListResourcesResponseSchema} from '../../../src/cluster/gen/auth_pb.js';
import {CertAuthorityV2Schema} from '../../../src/cluster/gen/types_pb.js';
import {
  checkSshCertificate,
  checkTlsIdentity,
  type Issued,
  seenAddress,
} from '../../../src/cluster/identity.js';
import {joinRefusal} from '../../../src/cluster/join-refusal.js';
import {readIssued} from '../../../src/cluster/join-request.js';
import {readNode} from '../../../src/cluster/node-record.js';
import {Refused, readAnswer} from '../../../src/cluster/web-status.js';
import {Failure} from '../../../src/errors.js';
import {parseCertificate} from '../../../src/ssh/certificate.js';

// What a real 18.0.0 has sent, read by the client.

const golden = (path: string) => new URL(`../../golden/teleport-18.0.0/${path}`, import.meta.url);
const text = (path: string) => readFileSync(golden(path), 'utf8');
const PROXY = 'proxy.test:443';

for (const suite of ['legacy', 'balanced-v1', 'fips-v1'] as const) {
  describe(`a real cluster of suite ${suite}`, () => {
    const issued: Issued = readIssued(
      readAnswer({status: 200, location: undefined, body: text(`${suite}/join-ok.json`)}, PROXY),
    );
    const certificate = parseCertificate(issued.sshCertificate);
    const [nodeId = '', ...rest] = (certificate.principals[0] ?? '').split('.');
    const cluster = rest.join('.');
    const expected = {
      nodeId,
      cluster,
      nodeName: 'db1',
      additionalPrincipals: ['db1.example.com', '10.0.0.5', 'db1', '0.0.0.0'],
      hostKey: text(`${suite}/host-key-ed25519.pub`),
    };

    it('tells about itself', () => {
      const {auth, ...info} = JSON.parse(text(`${suite}/find.json`));
      expect(readFind({auth, ...info}, PROXY)).to.deep.equal({
        name: cluster,
        version: '18.0.0',
        suite,
        proxy: PROXY,
        tlsRouting: true,
      });
    });

    it('sends a host certificate that is right', () => {
      expect(checkSshCertificate(issued, expected)).to.equal(text(`${suite}/host-cert.pub`).trim());
    });

    it('sends a client certificate that is right', () => {
      const {publicKey} = new X509Certificate(issued.tlsCertificate);
      const {authorities} = checkTlsIdentity(issued, expected, publicKey);
      expect(authorities).to.have.length(1);
      expect(authorities[0]?.toString()).to.equal(text(`${suite}/tls-ca.pem`));
    });

    it('shows that a check was made: another name is refused', () => {
      const refuse = (changes: object) => () => checkSshCertificate(issued, {...expected, ...changes});
      expect(refuse({additionalPrincipals: ['db2']})).to.throw('does not name db2');
      expect(refuse({nodeName: 'db2'})).to.throw('does not name db2');
      expect(refuse({cluster: 'x.test'})).to.throw('is not right');
      expect(refuse({hostKey: text(`${suite}/host-key-rsa.pub`)})).to.throw('it is for the key');
    });

    it('certifies further keys by gRPC', () => {
      for (const [name, key] of [
        ['rsa', 'rsa'],
        ['ec', 'ecdsa'],
      ]) {
        const certs = fromBinary(
          CertsSchema,
          readFileSync(golden(`${suite}/grpc/grpc-hostcerts-${name}.bin`)),
        );
        const lines = {
          sshCertificate: `${Buffer.from(certs.ssh)}`,
          sshAuthorities: certs.sshCaCerts.map((line) => `${Buffer.from(line)}`),
        };
        const read = parseCertificate(lines.sshCertificate.trim());
        const wanted = {...expected, additionalPrincipals: [], hostKey: text(`${suite}/host-key-${key}.pub`)};
        expect(checkSshCertificate({...issued, ...lines}, wanted)).to.equal(read.line);
      }
    });

    it('tells its authorities', () => {
      for (const type of ['host', 'openssh'] as const) {
        const answer = fromBinary(CertAuthorityV2Schema, readAuthorityBytes(suite, type));
        const {active, additional} = readAuthority(answer, type, cluster);
        expect([active.length, additional.length]).to.deep.equal([1, 0]);
        if (type === 'host') expect(text(`${suite}/ssh-ca.pub`).trim()).to.contain(active[0]);
        expect(() => readAuthority(answer, type, 'x.test'))
          .to.throw('the answer of the cluster is not right')
          .with.property('hint')
          .that.is.a('string');
        expect(() => readAuthority(answer, type === 'host' ? 'openssh' : 'host', cluster)).to.throw(
          'not right',
        );
      }
    });

    it('lists nodes', () => {
      const list = fromBinary(
        ListResourcesResponseSchema,
        readFileSync(golden(`${suite}/grpc/grpc-list.bin`)),
      );
      const nodes = list.resources.flatMap(({resource}) =>
        resource.case === 'node' ? [readNode(resource.value)] : [],
      );
      // The cluster of suite fips-v1 had none.
      expect(nodes.length > 0).to.equal(suite !== 'fips-v1');
      for (const node of nodes) {
        expect(node.subKind).to.equal('openssh');
        expect(node.address).to.match(/:\d+$/);
      }
    });
  });
}

/** The vectors hold whole lists; a single authority is the first field of one. */
function readAuthorityBytes(suite: string, type: string): Uint8Array {
  const bytes = readFileSync(golden(`${suite}/grpc/grpc-cas-${type}.bin`));
  // Tag 1, length-delimited, then the length as a varint.
  let [at, length, shift] = [1, 0, 0];
  for (let byte = 0x80; byte >= 0x80; at += 1, shift += 7) {
    byte = bytes[at] ?? 0;
    length |= (byte & 0x7f) << shift;
  }
  return bytes.subarray(at, at + length);
}

describe('an authority', () => {
  const answer = (keys: readonly string[]) =>
    create(CertAuthorityV2Schema, {
      spec: {
        type: 'openssh',
        clusterName: 'c.test',
        activeKeys: {ssh: keys.map((key) => ({publicKey: Buffer.from(key)}))},
      },
    });

  it('is refused without a key, or with one that cannot be read', () => {
    expect(() => readAuthority(answer([]), 'openssh', 'c.test')).to.throw('has no active key');
    expect(() => readAuthority(answer(['ssh-dss AAAA']), 'openssh', 'c.test')).to.throw('cannot be read');
    expect(() => readAuthority(create(CertAuthorityV2Schema), 'openssh', 'c.test')).to.throw(
      'with the no authority',
    );
  });

  it('is given as lines without comment', () => {
    const key = text('balanced-v1/host-key-ed25519.pub').trim();
    const {active} = readAuthority(answer([`${key} somebody@somewhere`]), 'openssh', 'c.test');
    expect(active).to.deep.equal([key.split(' ').slice(0, 2).join(' ')]);
  });
});

describe('refusals of a real join endpoint', () => {
  interface Case {
    readonly case: string;
    readonly status: number;
    readonly body: string;
  }
  const cases: readonly Case[] = [
    ...JSON.parse(text('balanced-v1/join-errors.json')),
    ...JSON.parse(text('balanced-v1/join-errors-extra.json')),
  ];
  const outcome = ({status, body}: Case): string => {
    try {
      readAnswer({status, body, location: undefined}, PROXY);
      return 'ok';
    } catch (error) {
      if (error instanceof Refused) return joinRefusal(error).code;
      if (error instanceof Failure) return error.code;
      // What passes is tried again.
      return 'again';
    }
  };

  const codes: readonly (readonly [RegExp, string])[] = [
    [/token expired or not found/, 'TOKEN_REFUSED'],
    [/does not allow/, 'ROLE_REFUSED'],
    [/join method/, 'TOKEN_REFUSED'],
    [/IDToken not provided/, 'TOKEN_REFUSED'],
    [/lock targeting/, 'REQUEST_REFUSED'],
    [/missing parameter Token/, 'TOKEN_REFUSED'],
    [/proxyVersion/, 'VERSION_UNSUPPORTED'],
  ];
  for (const [pattern, code] of codes) {
    it(`${pattern.source}: ${code}`, () => {
      const matching = cases.filter(({body, status}) => pattern.test(body) && status !== 500);
      expect(matching).not.to.have.length(0);
      for (const one of matching) expect(outcome(one), one.case).to.equal(code);
    });
  }

  it('are final when they are 400 or 403, and tried again when they are 500', () => {
    for (const one of cases.filter(({status}) => status !== 200)) {
      if (one.status >= 500) expect(outcome(one), one.case).to.equal('again');
      else expect(outcome(one), one.case).to.match(/_REFUSED|VERSION_UNSUPPORTED/);
    }
  });
});

describe('the address that the cluster sees', () => {
  it('is the one in the certificate that nobody has asked for', () => {
    const line = text('balanced-v1/host-cert.pub').trim();
    expect(seenAddress(line, ['db1', 'db1.example.com'])).to.equal('10.0.0.5');
    expect(seenAddress(line, ['10.0.0.5'])).to.equal(undefined);
  });
});
