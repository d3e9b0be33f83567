import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';
import {parseTtl} from '../duration.js';
import type {Outcome} from '../envelope.js';

/** `agentless cluster identity`: what `tctl auth sign --format=file` does on a real cluster. */
export default class ClusterIdentity extends BaseCommand {
  static override summary = 'make an identity file of a user of the development cluster';

  static override description =
    `Writes a private key, certificates for it and the host authorities into one file, laid out as
\`tctl auth sign --format=file\` does. The cluster need not be running. Roles: editor, access, auditor,
and agentless-ops, which allows all that agentless asks of a person or a bot.`;

  static override examples = [
    '<%= config.bin %> cluster identity --dir ./cluster --out ./admin.id && <%= config.bin %> tokens ls --identity ./admin.id',
  ];

  static override flags = {
    dir: Flags.string({
      summary: "the cluster's directory",
      helpValue: 'DIR',
      default: './agentless-cluster',
    }),
    user: Flags.string({summary: 'Teleport user', helpValue: 'U', default: 'admin'}),
    roles: Flags.string({
      summary: 'roles of the user',
      helpValue: 'a,b',
      default: 'editor,access,agentless-ops',
    }),
    ttl: Flags.string({summary: 'how long the identity is valid', helpValue: '12h', default: '12h'}),
    out: Flags.string({summary: 'file to write (0600)', helpValue: 'FILE', required: true}),
    overwrite: Flags.boolean({summary: 'replace the file if it exists', default: false}),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(ClusterIdentity);
    const {identity, writeIdentity} = await import('../../devcluster/index.js');
    const text = await identity(flags.dir, {
      user: flags.user,
      roles: flags.roles.split(',').filter((role) => role !== ''),
      ttlSeconds: parseTtl(flags.ttl),
    });
    writeIdentity(flags.out, text, flags.overwrite);
    if (!this.jsonEnabled()) process.stdout.write(`${flags.out}\n`);
    return {changed: true, result: {file: flags.out}};
  }
}
