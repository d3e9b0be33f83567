import * as Flags from '@oclif/core/flags';
import {EXIT, Failure} from '../errors.js';
import {BaseCommand} from './base-command.js';
import {connectionFlags} from './connection-flags.js';
import type {Outcome} from './envelope.js';
import {dataDirFlag, joinedConfigFlag} from './host-flags.js';
import {machineFlags} from './machine.js';

/** `agentless doctor`: see `operations/doctor.ts`. */
export default class Doctor extends BaseCommand {
  static override summary =
    'walk the whole way from the cluster to a shell on this host, and say what is wrong';

  static override description =
    `Looks at every layer: name, connection, certificate, version and routing of the proxy; this host's
identity, signer, node record and address; sshd, its configuration, its command line, what it serves
and whom it trusts. Each finding says what was seen and what to do. Changes nothing, and works on a
host that has not joined as far as there is something to look at.

With --login each login is tried for real on a throw-away sshd with the live configuration and a
throw-away certificate, as far as a command that does nothing: PAM sessions are opened for it.

With --explain it says what the error that somebody got at login means, and looks at nothing.

Exit codes: 0 nothing fails (warnings may be there), 3 something does, or the text is not known.`;

  static override examples = [
    'sudo <%= config.bin %> doctor --login root,deploy',
    '<%= config.bin %> doctor --proxy-server teleport.example.com',
    "<%= config.bin %> doctor --explain 'ssh: no authorities for hostname: web1:0'",
  ];

  static override flags = {
    login: Flags.string({
      summary: 'login of this host to be tried; repeatable',
      helpValue: 'NAME',
      multiple: true,
    }),
    explain: Flags.string({
      summary: 'say what the error that somebody got at login means; - reads it from standard input',
      helpValue: 'TEXT',
      exclusive: ['login', 'proxy-server'],
    }),
    'proxy-server': Flags.string({
      summary: 'web address of the Teleport proxy, host[:port]',
      defaultHelp: async () => 'the one that was joined',
      helpValue: 'HOST[:PORT]',
      env: 'AGENTLESS_PROXY_SERVER',
    }),
    'ca-file': connectionFlags['ca-file'],
    ...joinedConfigFlag,
    ...dataDirFlag,
    ...machineFlags,
    timeout: Flags.integer({
      summary: 'seconds to wait for each answer of the cluster',
      helpValue: 'SECONDS',
      default: 10,
      min: 1,
      max: 3600,
    }),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(Doctor);
    if (flags.explain !== undefined) return this.#explain(flags.explain);
    const logins = (flags.login ?? []).flatMap(readLogins);
    const {diagnose} = await import('./doctor/run-doctor.js');
    const diagnosis = await diagnose({...flags, login: logins}, this.config.version);
    const failed = diagnosis.findings.some(({status}) => status === 'fail');
    if (!this.jsonEnabled()) {
      const {diagnosisText} = await import('./doctor/text.js');
      process.stdout.write(diagnosisText(diagnosis, process.stdout));
    }
    return this.#outcome(diagnosis, !failed);
  }

  async #explain(given: string): Promise<Outcome> {
    const {explain} = await import('../operations/doctor/explain.js');
    const {text} = await import('node:stream/consumers');
    const words = given === '-' ? await text(process.stdin) : given;
    const explanations = explain(words);
    if (!this.jsonEnabled()) {
      const {explanationText} = await import('./doctor/text.js');
      process.stdout.write(explanationText(explanations, process.stdout));
    }
    return this.#outcome({explanations}, explanations.length > 0);
  }

  #outcome(result: object, well: boolean): Outcome {
    const status = well ? EXIT.done : EXIT.drift;
    process.exitCode = status;
    return {changed: false, result, status};
  }
}

function readLogins(text: string): string[] {
  const logins = text.split(',').map((login) => login.trim());
  const strange = logins.find((login) => !/^[^\s,=:/-][^\s,=:/]*$/.test(login));
  if (strange === undefined) return logins;
  throw new Failure('USAGE', `${JSON.stringify(strange)} is no login`, {
    hint: 'give names of accounts on this host: --login root,deploy',
  });
}
