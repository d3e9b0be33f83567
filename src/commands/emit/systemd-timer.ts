import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';
import type {Outcome} from '../envelope.js';
import {dataDirFlag} from '../host-flags.js';
import {nodeIdFlag} from '../join/node-flags.js';

/** `agentless emit systemd-timer`: what `renew --install-timer` would install. */
export default class EmitSystemdTimer extends BaseCommand {
  static override summary = 'print the units that `renew --install-timer` would install';

  static override description =
    `For sites where something else puts units in place. On a joined host, as root, they are exactly those that
\`renew --install-timer\` would write. For another host give its --node-id, which decides the minute, so that
the hosts of a fleet do not all come at once, and --program as agentless is called there.

Each file begins with a line of its path. Nothing is changed; enabling the timer is up to you:
systemctl enable --now agentless-renew.timer.`;

  static override examples = [
    'sudo <%= config.bin %> emit systemd-timer --every 1h',
    '<%= config.bin %> emit systemd-timer --node-id 0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e --program /usr/local/bin/agentless --json',
  ];

  static override flags = {
    every: Flags.string({summary: 'how often', helpValue: '1h', default: '1h'}),
    program: Flags.string({
      summary: 'words that call agentless on that host; the first is a whole path',
      helpValue: 'WORDS',
      defaultHelp: async () => 'as it runs now',
    }),
    ...nodeIdFlag('id of the node, where it is not this host', 'that of this host'),
    ...dataDirFlag,
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(EmitSystemdTimer);
    const {emitTimer} = await import('./run-emit.js');
    const files = await emitTimer(flags, this.reporter);
    if (!this.jsonEnabled())
      process.stdout.write(files.map(({path, text}) => `# ${path}\n${text}`).join('\n'));
    return {changed: false, result: {files}};
  }
}
