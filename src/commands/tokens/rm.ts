import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import {Failure} from '../../errors.js';
import {BaseCommand} from '../base-command.js';
import {connectionFlags, identityFlag} from '../connection-flags.js';
import type {Outcome} from '../envelope.js';
import {readToken} from '../token.js';

/** `agentless tokens rm`. */
export default class TokensRm extends BaseCommand {
  static override summary = 'delete a join token';

  static override description =
    `NAME is what \`tokens ls\` shows of the token, when it is the only one that begins like that. To delete
by value, give the value on standard input (-) or in a file: on the command line every user of this
host could read it.`;

  static override examples = [
    '<%= config.bin %> tokens rm e92faee4 --proxy-server teleport.example.com --identity ./admin.id',
    '<%= config.bin %> tokens rm - --proxy-server teleport.example.com --identity ./admin.id < node.token',
  ];

  static override args = {
    name: Args.string({
      description: 'first characters of the token, its name, or - for its value on standard input',
      ignoreStdin: true,
    }),
  };

  static override flags = {
    ...connectionFlags,
    ...identityFlag,
    'token-file': Flags.string({summary: 'file that holds the value of the token', helpValue: 'FILE'}),
  };

  async run(): Promise<Outcome> {
    const {args, flags} = await this.parse(TokensRm);
    if ((args.name === undefined) === (flags['token-file'] === undefined)) {
      throw new Failure('USAGE', 'tokens rm wants either a NAME or --token-file', {
        hint: '`agentless tokens ls` shows the first characters of each token',
      });
    }
    const value = args.name === '-' ? '-' : undefined;
    const token = await readToken(value, flags['token-file'], undefined);
    const {rmToken} = await import('./run-tokens.js');
    const removed = await rmToken(
      {...flags, name: args.name ?? '', token},
      this.surroundings,
      this.interruptible(),
    );
    if (!this.jsonEnabled()) process.stdout.write(`deleted ${removed.id === '' ? 'it' : removed.id}\n`);
    return {changed: true, result: removed};
  }
}
