// Joining by a token: POST /webapi/host/credentials, the endpoint that every supported cluster has.

import {createPublicKey, generateKeyPair, type KeyObject} from 'node:crypto';
import {promisify} from 'node:util';
import {Failure, Secret} from '../errors.js';
import type {ClusterInfo, JoinRequest, JoinResult, SignatureSuite} from './cluster.js';
import {type Deadline, retry} from './deadline.js';
import {checkSshCertificate, checkTlsIdentity, type Issued, ROLE} from './identity.js';
import {joinRefusal} from './join-refusal.js';
import {checkPins} from './pin.js';
import type {WebAnswer, WebConnection} from './web-connection.js';
import {Refused, readAnswer} from './web-status.js';

export interface Joining {
  readonly web: WebConnection;
  readonly info: ClusterInfo;
  /** As `readPin` returns them; none: no pinning. */
  readonly pins: readonly string[];
  readonly deadline: Deadline;
}

/** Spends the token. What is returned has been verified; a key for TLS is made on the way. */
export async function join({web, info, pins, deadline}: Joining, request: JoinRequest): Promise<JoinResult> {
  if (request.token.reveal() === '') {
    throw new Failure('USAGE', 'the token is empty', {hint: 'make one with `tctl tokens add --type=node`'});
  }
  const key = await newTlsKey(info.suite);
  const body = requestBody(request, key);
  const issued = await retry(deadline, async () => {
    const path = '/webapi/host/credentials';
    const answer = await web.request({method: 'POST', path, body, repeatable: false}, deadline);
    try {
      return readIssued(readAnswer(withoutToken(answer, request.token), info.proxy));
    } catch (error) {
      throw error instanceof Refused ? joinRefusal(error) : error;
    }
  });
  const expected = {...request, cluster: info.name};
  const {certificate, authorities} = checkTlsIdentity(issued, expected, createPublicKey(key));
  checkPins(authorities, pins);
  const pkcs8 = key.export({type: 'pkcs8', format: 'pem'}).toString();
  return {
    identity: {
      cluster: info.name,
      nodeId: request.nodeId,
      key: new Secret(pkcs8),
      certificate,
      authorities: authorities.map((authority) => authority.toString()),
    },
    certificate: checkSshCertificate(issued, expected),
    hostAuthorities: issued.sshAuthorities,
  };
}

const generate = promisify(generateKeyPair);

/** Clusters of the legacy suite get RSA, as their own agents do. Made off the main thread: RSA takes a while. */
async function newTlsKey(suite: SignatureSuite): Promise<KeyObject> {
  const pair =
    suite === 'legacy' ? generate('rsa', {modulusLength: 2048}) : generate('ec', {namedCurve: 'P-256'});
  return (await pair).privateKey;
}

/** The PEM of a key's public half, under the label that goes with its type. */
export function publicPem(key: KeyObject): string {
  const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'spki';
  return createPublicKey(key).export({type, format: 'pem'}).toString();
}

function requestBody(request: JoinRequest, key: KeyObject): object {
  return {
    hostID: request.nodeId,
    node_name: request.nodeName,
    role: ROLE,
    token: request.token.reveal(),
    additional_principals: request.additionalPrincipals,
    dns_names: null,
    public_tls_key: Buffer.from(publicPem(key)).toString('base64'),
    public_ssh_key: Buffer.from(`${request.hostKey.trim()}\n`).toString('base64'),
  };
}

/** Words of a refusal end up in errors, and a server may repeat what it was sent. */
function withoutToken(answer: WebAnswer, token: Secret): WebAnswer {
  if (answer.status === 200) return answer;
  const plain = token.reveal();
  const inJson = JSON.stringify(plain).slice(1, -1);
  const hide = (text: string) => text.replaceAll(inJson, '[secret]').replaceAll(plain, '[secret]');
  return {...answer, body: hide(answer.body), location: answer.location && hide(answer.location)};
}

/** Texts of an answer; everything else about them is checked later. */
export function readIssued(json: Readonly<Record<string, unknown>>): Issued {
  return {
    sshCertificate: text(json['ssh']).trim(),
    tlsCertificate: text(json['tls']),
    tlsAuthorities: texts(json['tls_ca_certs']),
    sshAuthorities: texts(json['ssh_ca_certs']).map((line) => line.trim()),
  };
}

function texts(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(text);
  throw notAJoin();
}

function text(value: unknown): string {
  if (typeof value === 'string' && value !== '') return Buffer.from(value, 'base64').toString();
  throw notAJoin();
}

function notAJoin(): Failure {
  return new Failure('CLUSTER_REPLY_INVALID', 'the cluster accepted the join, but sent no certificates', {
    hint: 'nothing has been changed; is something standing between this host and the cluster?',
  });
}
