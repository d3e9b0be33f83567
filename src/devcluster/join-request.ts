// The JSON body of a join, read as Go's encoding/json reads it: keys in any case, unknown keys ignored, []byte as
// base64, and its words for what is wrong.

import {create, type MessageInitShape} from '@bufbuild/protobuf';
import {timestampFromMs} from '@bufbuild/protobuf/wkt';
import {type RegisterUsingTokenRequest, RegisterUsingTokenRequestSchema} from '../cluster/gen/types_pb.js';
import {Refusal} from './refusal.js';

type Fields = MessageInitShape<typeof RegisterUsingTokenRequestSchema>;

/** Text of a request body to a request, or a 400. */
export function readJoinRequest(body: string): RegisterUsingTokenRequest {
  const json = new Json(parse(body));
  const fields: Fields = {
    hostId: json.text('hostID'),
    nodeName: json.text('node_name'),
    role: json.text('role'),
    token: json.text('token'),
    additionalPrincipals: json.texts('additional_principals'),
    dnsNames: json.texts('dns_names'),
    publicTlsKey: json.bytes('public_tls_key'),
    publicSshKey: json.bytes('public_ssh_key'),
    ec2IdentityDocument: json.bytes('ec2_id'),
    idToken: json.text('id_token'),
  };
  const expires = json.text('expires');
  if (expires !== '') fields.expires = timestampFromMs(Date.parse(expires));
  return create(RegisterUsingTokenRequestSchema, fields);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw new Refusal('bad parameter', `request: ${syntaxProblem(body, error)}`);
  }
}

/** The engine names the token or its position; Go says which character it did not expect there. */
function syntaxProblem(body: string, error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const [, token] = /^Unexpected token '(.)'/su.exec(message) ?? [];
  const [, position] = /position (\d+)/.exec(message) ?? [];
  const character = token ?? body[Number(position ?? body.length)];
  if (character === undefined) return 'unexpected end of JSON input';
  return `invalid character ${character === "'" ? `'\\''` : `'${character}'`} looking for beginning of value`;
}

class Json {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(value: unknown) {
    if (typeof value !== 'object' || Array.isArray(value)) {
      const kind = Array.isArray(value) ? 'array' : typeof value;
      throw new Refusal(
        'bad parameter',
        `request: ${cannot(kind)} value of type types.RegisterUsingTokenRequest`,
      );
    }
    const entries = Object.entries(value ?? {});
    this.#values = new Map(entries.map(([key, item]) => [key.toLowerCase(), item]));
  }

  text(key: string): string {
    const value = this.#values.get(key.toLowerCase()) ?? '';
    if (typeof value !== 'string') throw wrongType(key, value, 'string');
    return value;
  }

  texts(key: string): string[] {
    const value = this.#values.get(key.toLowerCase()) ?? [];
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
      throw wrongType(key, value, '[]string');
    }
    return value;
  }

  bytes(key: string): Uint8Array<ArrayBuffer> {
    const text = this.text(key).replace(/[\r\n]/g, '');
    const bad = /^(?:[A-Za-z0-9+/]{4})*/.exec(text)?.[0].length ?? 0;
    const tail = text.slice(bad);
    if (!/^(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(tail)) {
      throw new Refusal('bad parameter', `request: illegal base64 data at input byte ${bad}`);
    }
    return Uint8Array.from(Buffer.from(text, 'base64'));
  }
}

const cannot = (kind: string) => `json: cannot unmarshal ${kind} into Go`;

function wrongType(key: string, value: unknown, type: string): Refusal {
  const kind = Array.isArray(value) ? 'array' : typeof value;
  const field = `struct field RegisterUsingTokenRequest.${key} of type ${type}`;
  return new Refusal('bad parameter', `request: ${cannot(kind === 'boolean' ? 'bool' : kind)} ${field}`);
}
