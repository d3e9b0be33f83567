import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';
import {connectionFlags, identityFlag} from '../connection-flags.js';
import type {Outcome} from '../envelope.js';

const {timeout, insecure: _, ...reach} = connectionFlags;

/** `agentless emit cloud-init`. */
export default class EmitCloudInit extends BaseCommand {
  static override summary = 'print user data that joins a new machine at its first boot';

  // The words after --.
  static override strict = false;

  static override description =
    `Prints a cloud-config, or with --form sh the script alone, which any first-boot mechanism can run as root.

What the machine needs: sshd, Node 20.19 or newer, and agentless. They have to be on the image, unless
--install names a command that installs what is missing; nothing else is fetched from anywhere.

The token is in what is printed: with --identity one is made for that (--ttl), else it is read from
--token-file or AGENTLESS_TOKEN. User data can be read by whoever may read the metadata of the machine, so let
tokens be short-lived, or of a join method that asks for more than the token (-- --join-method iam). On the
machine the script is for root only, gives the token by standard input, and removes itself, whether the join
succeeds or not. It keeps trying for about five minutes while the cluster cannot be reached.

Words after -- go to \`join openssh\` as they are.`;

  static override examples = [
    '<%= config.bin %> emit cloud-init --proxy-server teleport.example.com --identity ./admin.id --ttl 30m > user-data',
    '<%= config.bin %> emit cloud-init --proxy-server teleport.example.com --token-file t --install "npm install --global /opt/agentless.tgz" -- --labels-from cloud',
  ];

  static override args = {
    words: Args.string({description: 'words after --: flags of `join openssh`', ignoreStdin: true}),
  };

  static override flags = {
    ...reach,
    timeout,
    ...identityFlag,
    'token-file': Flags.string({
      summary: 'file that holds the join token, or - for standard input',
      helpValue: 'FILE|-',
    }),
    ttl: Flags.string({
      summary: 'how long a token that is made can be used',
      helpValue: '30m',
      default: '30m',
    }),
    form: Flags.option({options: ['cloud-config', 'sh'] as const})({
      summary: 'user data for cloud-init, or the script alone',
      default: 'cloud-config',
    }),
    install: Flags.string({
      summary: 'what installs agentless where it is missing, run by /bin/sh',
      helpValue: 'COMMAND',
    }),
    'install-timer': Flags.boolean({summary: 'also have the host renewed by the clock', default: false}),
  };

  async run(): Promise<Outcome> {
    const {flags, raw} = await this.parse(EmitCloudInit);
    const words = raw.flatMap((token) => (token.type === 'arg' ? [token.input] : []));
    const {emitCloudInit} = await import('./run-cloud-init.js');
    const emitted = await emitCloudInit(flags, words, this.surroundings, this.interruptible());
    if (!this.jsonEnabled()) {
      process.stdout.write(emitted.text);
      process.stderr.write(needs(emitted));
    }
    return {changed: emitted.minted, result: emitted};
  }
}

function needs({expires, installs}: {expires?: string; installs: boolean}): string {
  const has = installs
    ? 'The machine needs sshd; the command of --install brings the rest.'
    : 'The machine needs on its image: sshd, Node 20.19 or newer, and agentless.';
  const end = expires === undefined ? '' : ` Its token ends at ${expires.replace(/\.\d+Z$/, 'Z')}.`;
  return `\n${has}\nWhat was printed holds a join token: keep it like one.${end}\n`;
}
