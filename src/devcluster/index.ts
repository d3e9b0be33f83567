// The embedded development cluster: a proxy and an Auth that really sign, in this process, on loopback.

export {type DevCluster, startCluster} from './dev-cluster.js';
export {type LoginFiles, login, nodes, writeLogin} from './offline.js';
export type {ClusterOptions, HttpCall, HttpReply, TestHooks} from './options.js';
export type {LoginCertificate, LoginRequest} from './user-certificate.js';
