import {CLIError} from '@oclif/core/errors';
import * as Flags from '@oclif/core/flags';
import type {JoinMethod} from '../../cluster/proof.js';
import {Failure} from '../../errors.js';
import {isNodeId} from '../../ssh/principals.js';

/** Which node a host is, where somebody else has settled that. */
export const nodeIdFlag = (summary: string, otherwise: string) => ({
  'node-id': Flags.string({
    summary,
    helpValue: 'UUID',
    defaultHelp: async () => otherwise,
    parse: async (given) => {
      if (isNodeId(given)) return given.toLowerCase();
      throw new CLIError('expected a UUID such as 0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e');
    },
  }),
});

/** `nodeIdFlag` as parsed. */
export interface NodeIdFlag {
  readonly 'node-id': string | undefined;
}

export function nodeIdFrom(flags: NodeIdFlag, method: JoinMethod): string | undefined {
  const id = flags['node-id'];
  if (id === undefined || method !== 'ec2') return id;
  throw new Failure('USAGE', '--node-id does not go with --join-method ec2', {
    hint: 'there the id is ACCOUNT-INSTANCE, and the cluster takes no other',
  });
}
