import {rmSync} from 'node:fs';
import {RemoteHost} from '../../src/host/remote/remote-host.js';
import {describeHost} from '../support/host-contract.js';
import {type RemoteTarget, startTarget} from '../support/remote-target.js';
import {temporaryTree} from '../support/tree.js';

describe('a host that is reached over ssh', () => {
  let root: string;
  let target: RemoteTarget;

  before(async () => {
    root = temporaryTree();
    target = await startTarget(root);
  });

  after(async () => {
    await target.stop();
    rmSync(root, {recursive: true, force: true});
  });

  describeHost(
    'as this machine promises it',
    () => RemoteHost.open(target.options),
    (host) => (host as RemoteHost).close(),
  );
});
