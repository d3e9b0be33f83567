// The agentless that is installed on another host: what a timer there calls.

import {Failure} from '../../errors.js';
import type {Host} from '../../host/host.js';
import type {Invocation} from './program.js';

/** Prints PATH, agentless and node as a login would find them. */
const FIND = `echo "$PATH"; command -v agentless || echo; command -v node || echo`;

/** HOST_UNSUITABLE where none is installed, or what is does not run. */
export async function installationOn(host: Host): Promise<Invocation> {
  const {stdout} = await host.run(['/bin/sh', '-c', FIND]);
  const [path = '', script = '', found = ''] = stdout.split('\n');
  if (!script.startsWith('/') || !found.startsWith('/')) {
    const missing = script.startsWith('/') ? 'node' : 'agentless';
    throw new Failure('HOST_UNSUITABLE', `there is no ${missing} on ${host.name} for a timer to call`, {
      hint: 'install it there, for example `npm install --global agentless`, or have `agentless renew --host` called from here by the clock',
    });
  }
  const node = await host.resolve(found);
  const {status, stdout: version, stderr} = await host.run([node, script, '--version']);
  if (status !== 0 || !version.startsWith('agentless/')) {
    throw new Failure('HOST_UNSUITABLE', `${script} on ${host.name} does not run`, {
      detail: (stderr || version).trim(),
      hint: `see why \`${script} --version\` fails there`,
    });
  }
  return {node, options: [], script, env: {PATH: path}};
}
