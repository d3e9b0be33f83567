// Every command there is. Ids join topic and name with a colon; people type a blank.

import ClusterLogin from './cluster/login.js';
import ClusterNodes from './cluster/nodes.js';
import ClusterStart from './cluster/start.js';
import Demo from './demo.js';
import Doctor from './doctor.js';
import JoinOpenssh from './join/openssh.js';
import Status from './status.js';

export const COMMANDS = {
  'cluster:login': ClusterLogin,
  'cluster:nodes': ClusterNodes,
  'cluster:start': ClusterStart,
  demo: Demo,
  doctor: Doctor,
  'join:openssh': JoinOpenssh,
  status: Status,
};
