// Every command there is. Ids join topic and name with a colon; people type a blank.

import Adopt from './adopt.js';
import ClusterIdentity from './cluster/identity.js';
import ClusterLogin from './cluster/login.js';
import ClusterNodes from './cluster/nodes.js';
import ClusterRotate from './cluster/rotate.js';
import ClusterStart from './cluster/start.js';
import Demo from './demo.js';
import Doctor from './doctor.js';
import EmitAnsibleInventory from './emit/ansible-inventory.js';
import EmitCloudInit from './emit/cloud-init.js';
import EmitNodeResource from './emit/node-resource.js';
import EmitSystemdTimer from './emit/systemd-timer.js';
import {makeReadable} from './help-text.js';
import JoinOpenssh from './join/openssh.js';
import Leave from './leave.js';
import PamProvision from './pam/provision.js';
import PamShow from './pam/show.js';
import PamTest from './pam/test.js';
import Renew from './renew.js';
import Status from './status.js';
import TokensAdd from './tokens/add.js';
import TokensLs from './tokens/ls.js';
import TokensRm from './tokens/rm.js';

export const COMMANDS = {
  adopt: Adopt,
  'cluster:identity': ClusterIdentity,
  'cluster:login': ClusterLogin,
  'cluster:nodes': ClusterNodes,
  'cluster:rotate': ClusterRotate,
  'cluster:start': ClusterStart,
  demo: Demo,
  doctor: Doctor,
  'emit:ansible-inventory': EmitAnsibleInventory,
  'emit:cloud-init': EmitCloudInit,
  'emit:node-resource': EmitNodeResource,
  'emit:systemd-timer': EmitSystemdTimer,
  'join:openssh': JoinOpenssh,
  leave: Leave,
  'pam:provision': PamProvision,
  'pam:show': PamShow,
  'pam:test': PamTest,
  renew: Renew,
  status: Status,
  'tokens:add': TokensAdd,
  'tokens:ls': TokensLs,
  'tokens:rm': TokensRm,
};

makeReadable(Object.values(COMMANDS));
