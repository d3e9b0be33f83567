// The first step of every change: what the host is, and that what is done to it can be proven.

import {Failure} from '../errors.js';
import type {HostFacts} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {codeOf, wordsOf} from '../system-error.js';
import {describeFacts} from './describe.js';
import {endpoint} from './proof.js';
import {interruptible, type Reporter} from './reporter.js';

/** `reload`: sshd is to take the change, and to answer then. */
export function firstLook(
  tools: {readonly host: Host; readonly report: Reporter; readonly signal: AbortSignal},
  looking: Promise<HostFacts>,
  reload: boolean,
): Promise<HostFacts> {
  const seen = async (): Promise<HostFacts> => {
    const facts = await looking;
    if (reload) await refuseUnprovable(tools.host, facts);
    return facts;
  };
  return interruptible(tools, 'look', seen(), describeFacts);
}

/**
 * HOST_UNSUITABLE where the proof could not be made afterwards although sshd is right. Of this machine nobody asks it: it
 * can, and sshd counts connections that end early.
 */
async function refuseUnprovable(host: Host, facts: HostFacts): Promise<void> {
  if (host.reachedBy === undefined || facts.daemon.state === 'stopped') return;
  const {address, port} = endpoint(facts);
  try {
    (await host.dial(address, port)).destroy();
  } catch (error) {
    if (error instanceof Failure || codeOf(error) === undefined) throw error;
    throw new Failure(
      'HOST_UNSUITABLE',
      `sshd does not answer at ${address} port ${port}, as seen from the host`,
      {
        detail: wordsOf(error),
        hint: 'what it serves after a reload could not be proven, so nothing was changed; look at firewalls and ListenAddress',
        cause: error,
      },
    );
  }
}
