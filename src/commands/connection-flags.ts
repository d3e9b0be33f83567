// The flags of every command that speaks to a cluster.

import * as Flags from '@oclif/core/flags';

/** Where the cluster is, and by what it is trusted. */
export const connectionFlags = {
  'proxy-server': Flags.string({
    summary: 'web address of the Teleport proxy, host[:port]',
    helpValue: 'HOST[:PORT]',
    env: 'AGENTLESS_PROXY_SERVER',
  }),
  'ca-file': Flags.string({
    summary: "PEM file of authorities to trust for the proxy's web certificate, besides the system's",
    helpValue: 'FILE',
    multiple: true,
  }),
  'ca-pin': Flags.string({
    summary: "pin of the cluster's host authority; every authority received must match one",
    helpValue: 'sha256:HEX',
    multiple: true,
  }),
  insecure: Flags.boolean({summary: "do not verify the proxy's web certificate", default: false}),
  timeout: Flags.integer({
    summary: 'seconds to keep trying a cluster that is busy',
    helpValue: 'SECONDS',
    default: 30,
    min: 1,
    max: 3600,
  }),
};

/** As whom to speak. */
export const identityFlag = {
  identity: Flags.string({
    summary: 'identity file (tctl auth sign --format=file), or output directory of tbot',
    helpValue: 'FILE|DIR',
    env: 'AGENTLESS_IDENTITY',
  }),
};
