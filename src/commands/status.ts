import * as Flags from '@oclif/core/flags';
import {EXIT} from '../errors.js';
import {BaseCommand} from './base-command.js';
import type {Outcome} from './envelope.js';
import {dataDirFlag, joinedConfigFlag} from './host-flags.js';
import {atMachine, machineFlags} from './machine.js';

/** `agentless status`: see `operations/status.ts`. */
export default class Status extends BaseCommand {
  static override summary = 'show how this host stands: joined, served, trusted, due';

  static override description =
    `Local and fast, asks no network, changes nothing. Run as root it sees everything; without, it says what
it could not see. What an interrupted run has left is told of, not undone.

Exit codes: 0 all is well; 3 not joined, something has drifted, an interrupted run, or a renewal is
due, each with what to do about it.`;

  static override examples = [
    'sudo <%= config.bin %> status',
    'sudo <%= config.bin %> status --online',
    'sudo <%= config.bin %> status --json | jq -r ".result.problems[].code"',
  ];

  static override flags = {
    online: Flags.boolean({
      summary:
        'also ask the cluster: is it reachable, this identity accepted, the node record right, the authorities current',
      default: false,
    }),
    ...joinedConfigFlag,
    ...dataDirFlag,
    ...machineFlags,
    'ca-file': Flags.string({
      summary:
        "with --online: PEM file of authorities to trust for the proxy's web certificate, besides the system's",
      helpValue: 'FILE',
      multiple: true,
    }),
    timeout: Flags.integer({
      summary: 'with --online: seconds to keep trying the cluster',
      helpValue: 'SECONDS',
      default: 10,
      min: 1,
      max: 3600,
    }),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(Status);
    const {status} = await import('../operations/status.js');
    const {online, 'openssh-config': config, 'data-dir': dataDir} = flags;
    const connect = online ? await this.#connector(flags['ca-file'] ?? [], flags.timeout) : undefined;
    const report = await atMachine(flags, (host) =>
      status(
        {host, warn: (text) => this.reporter.warn(text), ...(connect && {connect})},
        {dataDir, ...(config !== undefined && {config})},
      ),
    );
    const code = report.problems.length === 0 ? EXIT.done : EXIT.drift;
    if (!this.jsonEnabled()) {
      const {statusText} = await import('./status-text.js');
      process.stdout.write(statusText(report, process.stdout));
    }
    process.exitCode = code;
    return {changed: false, result: report, status: code};
  }

  async #connector(files: readonly string[], timeout: number) {
    const {connectionFrom} = await import('./connection.js');
    const flags = {'ca-file': files, 'ca-pin': undefined, insecure: false, timeout};
    return connectionFrom(flags, {
      clientVersion: this.config.version,
      warn: (text) => this.reporter.warn(text),
    });
  }
}
