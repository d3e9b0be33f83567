import {readdirSync, readFileSync} from 'node:fs';
import {type DescMessage, fromBinary, type MessageShape, toBinary} from '@bufbuild/protobuf';
import {expect} from 'chai';
import {
  CertsSchema,
  ListResourcesResponseSchema,
  PingResponseSchema,
} from '../../../src/cluster/gen/auth_pb.js';
import {GetCertAuthoritiesResponseSchema} from '../../../src/cluster/gen/teleport/trust/v1/trust_pb.js';
import {KeepAliveSchema} from '../../../src/cluster/gen/types_pb.js';
import type {Authority} from '../../../src/devcluster/authority.js';
import {newKeySet} from '../../../src/devcluster/authority.js';
import {describeAuthority} from '../../../src/devcluster/trust-service.js';

// The generated messages read what a real 18.0.0 sent, lose nothing of it, and see what its .json says.

const ROOT = new URL('../../golden/teleport-18.0.0/', import.meta.url);

type Reader = readonly [RegExp, DescMessage, (message: never) => unknown];

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const present = (fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '' && value !== undefined));
const time = (stamp: {seconds: bigint} | undefined) => stamp && {seconds: Number(stamp.seconds)};

const keys = (set: {ssh: {publicKey: Uint8Array}[]; tls: {cert: Uint8Array}[]} | undefined) => ({
  ...(set?.ssh.length && {SSH: set.ssh.map(({publicKey}) => ({PublicKey: text(publicKey)}))}),
  ...(set?.tls.length && {TLS: set.tls.map(({cert}) => ({Cert: text(cert)}))}),
});

const metadata = (from: {name: string; namespace: string; revision: string; labels: object} | undefined) => ({
  Name: from?.name,
  Namespace: from?.namespace,
  ...(Object.keys(from?.labels ?? {}).length > 0 && {Labels: from?.labels}),
  Revision: from?.revision,
});

const READERS: readonly Reader[] = [
  [
    /cas-/,
    GetCertAuthoritiesResponseSchema,
    ({certAuthoritiesV2}: MessageShape<typeof GetCertAuthoritiesResponseSchema>) => ({
      cas: certAuthoritiesV2.map(({kind, subKind, version, metadata: data, spec}) => ({
        Kind: kind,
        SubKind: subKind,
        Version: version,
        Metadata: metadata(data),
        Spec: {
          Type: spec?.type,
          ClusterName: spec?.clusterName,
          ActiveKeys: keys(spec?.activeKeys),
          AdditionalTrustedKeys: keys(spec?.additionalTrustedKeys),
        },
      })),
    }),
  ],
  [
    /hostcerts-/,
    CertsSchema,
    ({ssh, tls, tlsCaCerts, sshCaCerts}: MessageShape<typeof CertsSchema>) => ({
      SSH: text(ssh),
      TLS: text(tls),
      TLSCACerts: tlsCaCerts.map(text),
      SSHCACerts: sshCaCerts.map(text),
    }),
  ],
  [
    /ping/,
    PingResponseSchema,
    ({
      clusterName,
      serverVersion,
      proxyPublicAddr,
      remoteAddr,
      signatureAlgorithmSuite,
    }: MessageShape<typeof PingResponseSchema>) => ({
      ClusterName: clusterName,
      ServerVersion: serverVersion,
      ProxyPublicAddr: proxyPublicAddr,
      RemoteAddr: remoteAddr,
      suite: signatureAlgorithmSuite,
    }),
  ],
  [
    /upsert/,
    KeepAliveSchema,
    ({name, expires, type}: MessageShape<typeof KeepAliveSchema>) =>
      present({Name: name, Expires: time(expires), Type: type || undefined}),
  ],
  [
    /list/,
    ListResourcesResponseSchema,
    ({resources}: MessageShape<typeof ListResourcesResponseSchema>) =>
      present({
        Resources:
          resources.length === 0
            ? undefined
            : resources.map(({resource: {value: node}}) => ({
                Node: {
                  Kind: node?.kind,
                  SubKind: node?.subKind,
                  Version: node?.version,
                  Metadata: metadata(node?.metadata),
                  Spec: {
                    Addr: node?.spec?.addr,
                    Hostname: node?.spec?.hostname,
                    Rotation: {
                      Started: time(node?.spec?.rotation?.started),
                      LastRotated: time(node?.spec?.rotation?.lastRotated),
                    },
                  },
                },
              })),
      }),
  ],
];

describe('devcluster: messages of the real cluster', () => {
  for (const suite of ['balanced-v1', 'fips-v1', 'legacy']) {
    const folder = new URL(`${suite}/grpc/`, ROOT);
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.bin'))) {
      it(`${suite}/${file}`, () => {
        const bytes = readFileSync(new URL(file, folder));
        const expected = JSON.parse(readFileSync(new URL(file.replace('.bin', '.json'), folder), 'utf8'));
        const [, schema, read] = READERS.find(([pattern]) => pattern.test(file)) ?? expect.fail(file);
        const message = fromBinary(schema, bytes);
        expect(read(message as never)).to.eql(expected);
        // Nothing is lost; the order of fields may change, so it is compared after a second reading.
        const again = toBinary(schema, message);
        expect(again).to.have.length(bytes.length);
        expect(fromBinary(schema, again)).to.eql(message);
      });
    }
  }

  for (const type of ['host', 'user', 'openssh'] as const) {
    it(`describes its own ${type} authority with the same fields`, async () => {
      const active = await newKeySet(type, 'bal.lab.test', 'balanced-v1');
      const revision = '5e9a3f6e-9438-450f-af12-ea18e7b2ba4b';
      const ours: Authority = {type, cluster: 'bal.lab.test', revision, active, additional: []};
      const file = new URL(`balanced-v1/grpc/grpc-cas-${type}.bin`, ROOT);
      const [real] = fromBinary(GetCertAuthoritiesResponseSchema, readFileSync(file)).certAuthoritiesV2;
      expect(shape(describeAuthority(ours))).to.eql(shape(real));
    });
  }
});

/** Names, types and fixed texts; keys, certificates and unread fields apart. */
function shape(value: unknown): unknown {
  if (value instanceof Uint8Array)
    return Buffer.from(value)
      .toString()
      .replaceAll(/[A-Za-z0-9+/=]{30,}/g, '')
      .replaceAll(/\n+/g, '\n');
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value !== 'object' || value === null)
    return typeof value === 'string' && /^[0-9a-f-]{36}$/.test(value) ? 'uuid' : value;
  const fields = Object.entries(value).filter(([name]) => name !== '$unknown');
  return Object.fromEntries(fields.map(([name, item]) => [name, shape(item)]));
}
