import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';
import {connectionFlags, identityFlag} from '../connection-flags.js';
import {parseTtl} from '../duration.js';
import type {Outcome} from '../envelope.js';
import type {AddedToken} from './run-tokens.js';

/** `agentless tokens add`: what `tctl tokens add --type=node` does, from anywhere. */
export default class TokensAdd extends BaseCommand {
  static override summary = 'make a token with which a host can join';

  static override description =
    `Makes a join token in the cluster, as the person or bot whose identity is given; its value comes from
this machine's random numbers and is printed alone on standard output, so that a script can capture it.

The token is the product of this command: it is also in the result of --json and of --format json. With
--out it goes into a file (0600) and nowhere else. No other command shows a token's value.`;

  static override examples = [
    '<%= config.bin %> tokens add --proxy-server teleport.example.com --identity ./admin.id --out node.token',
    'TOKEN="$(<%= config.bin %> tokens add --proxy-server teleport.example.com --identity /opt/tbot/out --ttl 5m)"',
  ];

  static override flags = {
    ...connectionFlags,
    ...identityFlag,
    type: Flags.option({options: ['node'] as const})({summary: 'what may join with it', default: 'node'}),
    ttl: Flags.string({summary: 'how long it can be used', helpValue: '30m', default: '30m'}),
    labels: Flags.string({
      summary: 'labels of the token itself, for `tokens ls`; repeatable',
      helpValue: 'k=v',
      multiple: true,
    }),
    format: Flags.option({options: ['text', 'json'] as const})({
      summary: 'the token alone, or an object as tctl prints it',
      default: 'text',
    }),
    out: Flags.string({summary: 'file to write it to (0600) instead', helpValue: 'FILE'}),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(TokensAdd);
    const ttlSeconds = parseTtl(flags.ttl);
    const {addToken} = await import('./run-tokens.js');
    const {text, added} = await addToken({...flags, ttlSeconds}, this.surroundings, this.interruptible());
    if (!this.jsonEnabled()) {
      if (flags.out === undefined) process.stdout.write(text);
      if (flags.format === 'text') process.stderr.write(howTo(added));
    }
    return {changed: true, result: added};
  }
}

function howTo({file, proxy, expires}: AddedToken): string {
  const where = file ?? 'FILE';
  const holds =
    file === undefined ? 'FILE holds the line above.' : 'Take the file there by a way that is safe.';
  const end = expires.replace(/\.\d+Z$/, 'Z');
  return `\nA host can join with it until ${end}:\n\n  sudo agentless join openssh --proxy-server ${proxy} --token-file ${where}\n\n${holds}\n`;
}
