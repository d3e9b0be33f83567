import {RemoteHost} from '../../src/host/remote/remote-host.js';
import {describeHost} from '../support/host-contract.js';
import {useTarget} from '../support/remote-target.js';

describe('a host that is reached over ssh', () => {
  const target = useTarget();

  describeHost(
    'as this machine promises it',
    () => RemoteHost.open(target().options),
    (host) => (host as RemoteHost).close(),
  );
});
