import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';
import {parseTtl} from '../duration.js';
import type {Outcome} from '../envelope.js';

/** `agentless cluster login`: what a proxy of the development cluster would present to sshd. */
export default class ClusterLogin extends BaseCommand {
  static override summary = 'make a short-lived SSH certificate, as a proxy of the development cluster would';

  static override description =
    `Writes a new private key and a certificate for it, signed by the cluster's OpenSSH authority. On a
real cluster only a proxy can have such a certificate. The cluster need not be running.`;

  static override examples = [
    '<%= config.bin %> cluster login --dir ./cluster --login root --out ./id && ssh -i ./id root@web1',
  ];

  static override flags = {
    dir: Flags.string({
      summary: "the cluster's directory",
      helpValue: 'DIR',
      default: './agentless-cluster',
    }),
    login: Flags.string({
      summary: 'login of the operating system; repeatable',
      helpValue: 'NAME',
      multiple: true,
      required: true,
    }),
    user: Flags.string({
      summary: 'Teleport user',
      helpValue: 'U',
      defaultHelp: async () => 'the first login',
    }),
    roles: Flags.string({summary: 'Teleport roles', helpValue: 'a,b', default: 'access'}),
    ttl: Flags.string({summary: 'how long the certificate is valid', helpValue: '10m', default: '10m'}),
    out: Flags.string({
      summary: 'private key; the certificate is FILE-cert.pub',
      helpValue: 'FILE',
      required: true,
    }),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(ClusterLogin);
    const {login, writeLogin} = await import('../../devcluster/index.js');
    const made = await login(flags.dir, {
      logins: flags.login,
      user: flags.user ?? flags.login[0] ?? '',
      roles: flags.roles.split(',').filter((role) => role !== ''),
      ttlSeconds: parseTtl(flags.ttl),
    });
    const files = writeLogin(flags.out, made);
    if (!this.jsonEnabled()) process.stdout.write(`${files.certificate}\n`);
    return {changed: true, result: files};
  }
}
