import {readFileSync} from 'node:fs';
import {create, type MessageInitShape} from '@bufbuild/protobuf';
import {Code, ConnectError, createClient} from '@connectrpc/connect';
import {createGrpcTransport} from '@connectrpc/connect-node';
import {expect} from 'chai';
import {authorization} from '../../src/cluster/aws/sigv4.js';
import {JoinService, type RegisterUsingIAMMethodRequestSchema} from '../../src/cluster/gen/auth_pb.js';
import {
  type RegisterUsingTokenRequest,
  RegisterUsingTokenRequestSchema,
} from '../../src/cluster/gen/types_pb.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {Secret} from '../../src/errors.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {ACCOUNT, REGION} from '../support/aws.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {connect, newHostKeys, split, sshLine, tlsPem} from '../support/raw-client.js';

// The stream of method iam, by a client of its own; refusals as recorded from a real 18.0.0.

interface Attempt {
  readonly id?: string;
  readonly secret?: string;
  readonly challenge?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers that are sent, and not signed. */
  readonly unsigned?: string;
  readonly dropped?: string;
  readonly body?: string;
  readonly method?: string;
  readonly path?: string;
  readonly authorization?: string;
  readonly request?: string;
  readonly token?: string;
  readonly fields?: Omit<Partial<RegisterUsingTokenRequest>, '$typeName' | '$unknown'>;
}

const HOST_ID = '00000000-0000-4000-8000-000000000001';
const CHALLENGE = 'x-teleport-challenge';

describe('embedded cluster: joins by method iam', () => {
  const keys = newHostKeys();
  const options: Partial<ClusterOptions> = {
    testOnlyAws: {
      callers: {
        AKIDEXAMPLE: {
          secret: 'right',
          account: ACCOUNT,
          arn: `arn:aws:sts::${ACCOUNT}:assumed-role/web/i-0abc`,
        },
        AKIDOTHER: {secret: 'right', account: '999922223333', arn: 'arn:aws:iam::999922223333:user/x'},
      },
    },
  };
  let cluster: TemporaryCluster;
  before(async () => {
    cluster = await temporaryCluster(options);
    const allow = [{awsAccount: ACCOUNT, awsArn: `arn:aws:sts::${ACCOUNT}:assumed-role/web/i-*`}];
    cluster.addToken({roles: ['Node'], joinMethod: 'iam', value: 'iam-token-8f2a', allow});
    cluster.addToken({roles: ['Proxy'], joinMethod: 'iam', value: 'iam-proxy-8f2a', allow});
    cluster.addToken({roles: ['Node'], joinMethod: 'ec2', value: 'ec2-token-8f2a'});
    cluster.addToken({roles: ['Node'], value: 'plain-8f2a-token'});
  });
  after(() => cluster.stop());

  function signed(attempt: Attempt, challenge: string): Buffer {
    const {body = 'Action=GetCallerIdentity&Version=2011-06-15', method = 'POST', path = '/'} = attempt;
    const all = {
      host: `sts.${REGION}.amazonaws.com`,
      accept: 'application/json',
      'content-length': String(body.length),
      'content-type': 'application/x-www-form-urlencoded',
      'x-amz-date': new Date().toISOString().replace(/[-:]|\.\d+/g, ''),
      [CHALLENGE]: attempt.challenge ?? challenge,
      ...attempt.headers,
    };
    const without = (name: string | undefined) =>
      Object.fromEntries(Object.entries(all).filter(([one]) => one !== name));
    const credentials = {
      accessKeyId: attempt.id ?? 'AKIDEXAMPLE',
      secretAccessKey: new Secret(attempt.secret ?? 'right'),
    };
    const value =
      attempt.authorization ??
      authorization({method, path: '/', query: '', headers: without(attempt.unsigned), body}, credentials, {
        region: REGION,
        service: 'sts',
      });
    const lines = Object.entries({...without(attempt.dropped), authorization: value});
    const head = lines.map(([name, text]) => `${name}: ${text}`);
    return Buffer.from(attempt.request ?? [`${method} ${path} HTTP/1.1`, ...head, '', body].join('\r\n'));
  }

  /** The host certificate, or the status. */
  async function join(attempt: Attempt, server = cluster): Promise<string> {
    const ca = readFileSync(server.caFile);
    const ALPNProtocols = ['teleport-proxy-grpc', 'h2'];
    const socket = await connect({...split(server.proxy), ca, ALPNProtocols});
    const transport = createGrpcTransport({
      baseUrl: `https://${server.proxy}`,
      nodeOptions: {createConnection: () => socket},
    });
    let tell = (_answer: MessageInitShape<typeof RegisterUsingIAMMethodRequestSchema>) => {};
    const told = new Promise<MessageInitShape<typeof RegisterUsingIAMMethodRequestSchema>>((resolve) => {
      tell = resolve;
    });
    async function* answers() {
      yield await told;
    }
    try {
      let certificate = '';
      for await (const {challenge, certs} of createClient(JoinService, transport).registerUsingIAMMethod(
        answers(),
      )) {
        if (certs !== undefined) certificate = Buffer.from(certs.ssh).toString();
        else {
          expect(Buffer.from(challenge, 'base64')).to.have.length(32);
          expect(challenge).to.have.length(43);
          const registerUsingTokenRequest = create(RegisterUsingTokenRequestSchema, {
            hostId: HOST_ID,
            nodeName: 'db1',
            role: 'Node',
            token: attempt.token ?? 'iam-token-8f2a',
            additionalPrincipals: ['0.0.0.0', 'db1.example.com'],
            publicTlsKey: Buffer.from(tlsPem(keys.tls)),
            publicSshKey: Buffer.from(sshLine(keys.ssh)),
            ...attempt.fields,
          });
          tell({registerUsingTokenRequest, stsIdentityRequest: signed(attempt, challenge)});
        }
      }
      return certificate;
    } finally {
      socket.destroy();
    }
  }

  it('certifies a caller that AWS knows and a rule of the token allows', async () => {
    const {principals} = parseCertificate((await join({})).trim());
    expect(principals).to.include.members([HOST_ID, 'db1', 'db1.example.com', '127.0.0.1']);
  });

  const SHORT = 'AWS4-HMAC-SHA256 Credential=a/b/c/d/e';
  const RECORDED: Readonly<Record<string, Attempt>> = {
    'other account': {id: 'AKIDOTHER'},
    'challenge differs': {challenge: 'x'.repeat(43)},
    'challenge unsigned': {unsigned: CHALLENGE},
    'challenge absent': {dropped: CHALLENGE},
    'other body': {body: 'Action=GetCallerIdentity&Version=2011-06-16'},
    'no body': {body: ''},
    'method GET': {method: 'GET'},
    path: {path: '/x'},
    'unknown host': {headers: {host: 'sts.evil.example'}},
    'no authorization': {authorization: ''},
    'other algorithm': {authorization: 'Bearer x'},
    'short authorization': {authorization: SHORT},
    'short credential': {
      authorization: `AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=${CHALLENGE}, Signature=aa`,
    },
    'no signature': {authorization: `${SHORT}, SignedHeaders=${CHALLENGE}, Foo=aa`},
    'empty request': {request: ''},
    'junk request': {request: 'junk\r\n\r\n'},
    'token unknown': {token: 'nope'},
    'token of another role': {token: 'iam-proxy-8f2a'},
    'token of method token': {token: 'plain-8f2a-token'},
    'token of method ec2': {token: 'ec2-token-8f2a'},
    'no token': {token: ''},
    'no host id': {fields: {hostId: ''}},
    'bad role': {fields: {role: 'Nonsense'}},
    'bad ssh key': {fields: {publicSshKey: Buffer.from('junk')}},
    expires: {fields: {expires: {$typeName: 'google.protobuf.Timestamp', seconds: 1893456000n, nanos: 0}}},
  };

  const golden = new URL('../golden/teleport-18.0.0/balanced-v1/iam-join-errors.json', import.meta.url);
  for (const recorded of JSON.parse(readFileSync(golden, 'utf8'))) {
    // There are no static tokens here.
    if (recorded.case === 'static token') continue;
    it(`refuses as the real one: ${recorded.case}`, async () => {
      const attempt = RECORDED[recorded.case] ?? expect.fail(`no attempt for ${recorded.case}`);
      const error = await refusal(join(attempt));
      expect(error.rawMessage.replace(/"AWS4-HMAC[^"]*"/, '"(header)"')).to.equal(recorded.message);
      expect(error.code).to.equal(recorded.code);
    });
  }

  it('says what AWS says of a wrong signature, and of a caller that it does not know', async () => {
    const cases: readonly (readonly [Attempt, string])[] = [
      [{secret: 'wrong'}, 'SignatureDoesNotMatch'],
      [{headers: {'x-amz-security-token': 'stolen'}}, 'InvalidClientTokenId'],
      [{id: 'AKIDNOBODY'}, 'InvalidClientTokenId'],
    ];
    for (const [attempt, code] of cases) {
      const {rawMessage} = await refusal(join(attempt));
      expect(rawMessage).to.contain(
        'executing STS request\n\t\taws sts api returned status: "403 Forbidden"',
      );
      expect(rawMessage).to.contain(code);
    }
  });

  it('refuses everybody when nobody plays AWS, and says so', async () => {
    await using other = await temporaryCluster();
    other.addToken({roles: ['Node'], joinMethod: 'iam', value: 'iam-token-8f2a', allow: [{}]});
    const error = await refusal(join({}, other));
    expect(error.code).to.equal(Code.PermissionDenied);
    expect(error.rawMessage).to.contain('a development cluster does not ask AWS');
  });

  it('lets nobody in by a token without rules', async () => {
    cluster.addToken({roles: ['Node'], joinMethod: 'iam', value: 'no-rules'});
    expect((await refusal(join({token: 'no-rules'}))).rawMessage).to.contain('did not match any allow rules');
  });
});

async function refusal(promise: Promise<unknown>): Promise<ConnectError> {
  return promise.then(
    () => expect.fail('it was not refused'),
    (error: unknown) => ConnectError.from(error),
  );
}
