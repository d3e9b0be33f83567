import {BaseCommand} from './base-command.js';

/** `agentless demo`: the README's first command. */
export default class Demo extends BaseCommand {
  static override enableJsonFlag = false;
  static override baseFlags = {};

  static override summary = 'see a whole join on this machine: development cluster, private sshd, real login';

  static override examples = ['<%= config.bin %> demo'];

  async run(): Promise<undefined> {
    await this.parse(Demo);
    const {demo} = await import('../demo/demo.js');
    const self = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
    await demo({say: (text) => process.stdout.write(`${text}\n`), self, signal: this.interruptible()});
  }
}
