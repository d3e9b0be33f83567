// The embedded development cluster: a proxy and an Auth that really sign, in this process, on loopback.

export {type DevCluster, startCluster} from './dev-cluster.js';
export {identity, login, nodes, writeIdentity, writeLogin} from './offline.js';
export type {ClusterOptions} from './options.js';
export {type Rotated, rotate} from './rotate.js';
