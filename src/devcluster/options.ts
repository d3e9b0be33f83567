// How a development cluster is started, and the hooks by which tests make it misbehave.

import type {Message} from '@bufbuild/protobuf';
import type {Code} from '@connectrpc/connect';
import type {SignatureSuite} from '../cluster/cluster.js';
import type {Certs} from '../cluster/gen/auth_pb.js';
import type {RegisterUsingTokenRequest} from '../cluster/gen/types_pb.js';
import type {Limits} from './rate-limit.js';
import type {Roles} from './roles.js';

export interface HttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

interface HttpCall {
  readonly method: string;
  /** Path without query. */
  readonly path: string;
  readonly body: string;
}

/** Who has AWS credentials, and who they are of. */
export interface AwsCaller {
  readonly secret: string;
  readonly sessionToken?: string;
  readonly account: string;
  readonly arn: string;
}

/** Read at every request, so a test may set and unset them on the object it has passed. */
export interface TestHooks {
  /** Answers in place of the web API; undefined lets it answer itself. */
  testOnlyHttp?: ((call: HttpCall) => HttpReply | undefined) | undefined;
  /** Changes the body of find and ping. */
  testOnlyFind?: ((body: Record<string, unknown>) => Record<string, unknown>) | undefined;
  /** Changes what a join answers, over HTTP and over gRPC. */
  testOnlyJoinReply?: ((reply: Certs, request: RegisterUsingTokenRequest) => Certs) | undefined;
  /** Refuses a call ("proto.AuthService/UpsertNode") before it does anything, or closes its connection. */
  testOnlyCall?:
    | ((name: string) => 'close' | {readonly code: Code; readonly message: string} | undefined)
    | undefined;
  /** Changes the answer of a call. */
  testOnlyReply?: ((name: string, reply: Message) => Message) | undefined;
  /**
   * Takes AWS's place: callers by access key id (method iam), and PEM certificates that sign instance documents, by
   * region (method ec2). Absent: joins by these methods are refused.
   */
  testOnlyAws?:
    | {
        readonly callers?: Readonly<Record<string, AwsCaller>>;
        readonly authorities?: Readonly<Record<string, string>>;
      }
    | undefined;
  /** Roles besides the built-in ones. */
  testOnlyRoles?: Roles | undefined;
  /** True: people's own logins are asked for a second factor where Teleport does so. */
  testOnlyMfa?: boolean | undefined;
  /** What the web certificate says; read at start. */
  testOnlyWebCertificate?: {readonly validTo?: Date; readonly names?: readonly string[]} | undefined;
}

export interface ClusterOptions extends TestHooks {
  /** State directory; made with mode 0700 when absent. */
  readonly dir: string;
  /** Default: the stored name, else "dev.example". */
  readonly name?: string;
  /** host:port of the proxy, loopback only. Default: the address of the last start, else 127.0.0.1 and any port. */
  readonly listen?: string;
  /** Default: the stored suite, else "balanced-v1". */
  readonly suite?: SignatureSuite;
  /** Reads lag behind writes by up to a second, as on a real cluster. Default true. */
  readonly lag?: boolean;
  /** Rate limits as measured on a real cluster, or others. Default true. */
  readonly limits?: boolean | Limits;
  /** Version to play. Default "18.0.0". */
  readonly version?: string;
  /** host:port that find and ping name as the proxy's public address. Default: the listening address. */
  readonly publicAddress?: string;
}
