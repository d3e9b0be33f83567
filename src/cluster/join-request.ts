// Joining: POST /webapi/host/credentials, the endpoint that every supported cluster has, or the gRPC stream that a token
// of method iam needs.

import {createPublicKey, type KeyObject} from 'node:crypto';
import {Failure, Secret} from '../errors.js';
import {generateKeyAside} from '../ssh/generate.js';
import type {CallerProof} from './aws/caller-identity.js';
import type {ClusterInfo, JoinRequest, JoinResult, SignatureSuite} from './cluster.js';
import {type Deadline, retry} from './deadline.js';
import {checkSshCertificate, checkTlsIdentity, type Issued, ROLE} from './identity.js';
import {hider, type JoinFields, joinFields, notAJoin} from './join-fields.js';
import {joinRefusal} from './join-refusal.js';
import {checkPins} from './pin.js';
import type {Proof} from './proof.js';
import type {WebConnection} from './web-connection.js';
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
  const fields = joinFields(request, publicPem(key));
  const {proof = {method: 'token'}} = request;
  const issued =
    proof.method === 'iam'
      ? await (await import('./iam-join.js')).joinByIam({web, where: info.proxy, deadline}, fields, proof)
      : await joinByHttp({web, info, deadline}, fields, proof);
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

/** Clusters of the legacy suite get RSA, as their own agents do. */
function newTlsKey(suite: SignatureSuite): Promise<KeyObject> {
  return generateKeyAside(suite === 'legacy' ? 'rsa2048' : 'p256');
}

/** The PEM of a key's public half, under the label that goes with its type. */
export function publicPem(key: KeyObject): string {
  const type = key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'spki';
  return createPublicKey(key).export({type, format: 'pem'}).toString();
}

async function joinByHttp(
  {web, info, deadline}: Omit<Joining, 'pins'>,
  fields: JoinFields,
  proof: Exclude<Proof, CallerProof>,
): Promise<Issued> {
  const [path, body, hide] = ['/webapi/host/credentials', requestBody(fields, proof), hider(fields, proof)];
  // A fault of the document comes as 500, and stays.
  const final = proof.method === 'ec2' ? [500] : [];
  return retry(deadline, async () => {
    const answer = await web.request({method: 'POST', path, body, repeatable: false}, deadline);
    try {
      return readIssued(readAnswer(answer, info.proxy, final));
    } catch (error) {
      if (error instanceof Refused) throw joinRefusal(error, hide);
      // Other failures quote the answer as well.
      const {location} = answer;
      const quotable = {...answer, body: hide(answer.body), location: location && hide(location)};
      readAnswer(quotable, info.proxy, final);
      throw error;
    }
  });
}

function requestBody(fields: JoinFields, proof: Exclude<Proof, CallerProof>): object {
  return {
    hostID: fields.hostId,
    node_name: fields.nodeName,
    role: ROLE,
    token: fields.token.reveal(),
    additional_principals: fields.additionalPrincipals,
    dns_names: null,
    public_tls_key: base64(fields.publicTlsKey),
    public_ssh_key: base64(fields.publicSshKey),
    // Text that is base64 already, and yet encoded again: []byte in JSON.
    ...(proof.method === 'ec2' && {ec2_id: base64(Buffer.from(proof.document.reveal()))}),
  };
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

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
