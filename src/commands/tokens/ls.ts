import {BaseCommand} from '../base-command.js';
import {connectionFlags, identityFlag} from '../connection-flags.js';
import type {Outcome} from '../envelope.js';

/** `agentless tokens ls`. */
export default class TokensLs extends BaseCommand {
  static override summary = 'list the join tokens of the cluster, without their values';

  static override description =
    `Of a token whose name is its secret only the first characters are shown, also under --json; they are
enough for \`tokens rm\`. Tokens of methods such as iam have names that open nothing, shown whole.`;

  static override examples = [
    '<%= config.bin %> tokens ls --proxy-server teleport.example.com --identity ./admin.id',
  ];

  static override flags = {...connectionFlags, ...identityFlag};

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(TokensLs);
    const {lsTokens, tokenLine} = await import('./run-tokens.js');
    const tokens = await lsTokens(flags, this.surroundings, this.interruptible());
    if (!this.jsonEnabled()) {
      for (const token of tokens) process.stdout.write(`${tokenLine(token)}\n`);
      if (tokens.length === 0) process.stderr.write('no tokens\n');
    }
    return {changed: false, result: {tokens}};
  }
}
