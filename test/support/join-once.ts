// A process of its own that joins and asks Auth one question: for what depends on the environment a process starts in.
// Takes {proxy, caFile, token} as JSON on standard input, prints the cluster's name, or the failure's code.

import {text} from 'node:stream/consumers';
import {Failure} from '../../src/errors.js';
import {clientOf, joinRequest} from './cluster-client.js';

const wanted = JSON.parse(await text(process.stdin));
const cluster = clientOf(wanted);
try {
  const {identity} = await cluster.join(joinRequest(wanted.token));
  await cluster.as(identity).authority('openssh');
  process.stdout.write(identity.cluster);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stdout.write(error.code);
} finally {
  await cluster.close();
}
