import {userInfo} from 'node:os';
import {CLIError} from '@oclif/core/errors';
import * as Flags from '@oclif/core/flags';
import {shellWord} from '../../host/shell-word.js';
import {BaseCommand} from '../base-command.js';
import {connectionFlags, identityFlag} from '../connection-flags.js';
import type {Outcome} from '../envelope.js';
import {configFlag, dataDirFlag, exitCodeFlag, refuseExitCodeAlone, reloadFlags} from '../host-flags.js';
import {machineFlags} from '../machine.js';
import {admissionFrom} from './admission.js';
import {labelsFromFlag} from './label-flags.js';
import {nodeIdFlag} from './node-flags.js';
import {pamFlags} from './pam-flags.js';
import type {JoinFlags, JoinReport} from './run-join.js';

/** `agentless join openssh`: see `operations/join.ts` for what it does, in order. */
export default class JoinOpenssh extends BaseCommand {
  static override summary = 'make this OpenSSH server reachable through a Teleport cluster';

  static override description =
    `Certifies the host's existing keys, makes sshd trust the cluster's OpenSSH CA, proves both by a
real handshake, and registers the node. Everything is rehearsed on a throw-away sshd first, and
undone to the byte if anything fails.

Exit codes: 0 joined (or already so), 2 usage, 3 would change (--dry-run --exit-code), 4 refused by
the cluster, 5 cluster unreachable or not trusted, 6 host not suitable, 7 failed and restored, 8
failed and not fully restored, 130 interrupted and restored.`;

  static override examples = [
    '<%= config.bin %> join openssh --proxy-server teleport.example.com:443 --token-file /root/node.token',
    '<%= config.bin %> join openssh --proxy-server teleport.example.com --token-file t --labels env=prod --dry-run',
    '<%= config.bin %> join openssh --proxy-server teleport.example.com --identity ./admin.id --discard-identity',
    '<%= config.bin %> join openssh --proxy-server teleport.example.com --token-file t --labels-from cloud',
    'vault read -field=token secret/node | <%= config.bin %> join openssh --proxy-server teleport.example.com --token -',
  ];

  static override flags = {
    ...connectionFlags,
    token: Flags.string({
      summary: 'join token: its value, the absolute path of a file with it, or - for standard input',
      description:
        'A value on the command line is visible to every user of this host: prefer --token-file, - or AGENTLESS_TOKEN.',
      helpValue: 'TOKEN|FILE|-',
      exclusive: ['token-file'],
    }),
    'token-file': Flags.string({summary: 'file that holds the join token', helpValue: 'FILE'}),
    identity: {
      ...identityFlag.identity,
      summary: 'identity of a person or bot, with which a token is made, used, and deleted again',
      description:
        'A file of tctl auth sign --format=file, or an output directory of tbot. A joined host needs no token, and none is made.',
    },
    manual: Flags.boolean({
      summary: 'without any token: --identity has certificates signed and writes the node record',
      default: false,
    }),
    'discard-identity': Flags.boolean({
      summary: 'keep no credential on this host; renewing and leaving then need --identity, or a token',
      allowNo: true,
    }),
    'join-method': Flags.option({options: ['token', 'iam', 'ec2'] as const})({
      summary: 'what the token wants to see besides: nothing, AWS credentials, or an EC2 instance',
      default: 'token',
    }),
    hostname: Flags.string({
      summary: 'name of this node in the cluster',
      helpValue: 'NAME',
      defaultHelp: async () => 'hostname',
    }),
    address: Flags.string({
      summary: 'where the proxy dials this host',
      helpValue: 'HOST[:PORT]',
      defaultHelp: async () => "the address the cluster sees, sshd's port",
    }),
    labels: Flags.string({summary: 'labels of this node; repeatable', helpValue: 'k=v', multiple: true}),
    ...labelsFromFlag,
    'additional-principals': Flags.string({
      summary: 'further names that clients dial; repeatable',
      helpValue: 'NAME',
      multiple: true,
    }),
    ...configFlag,
    ...dataDirFlag,
    ...machineFlags,
    ...reloadFlags('the new configuration'),
    'prove-login': Flags.string({
      summary: 'also rehearse a login with a throw-away certificate; repeatable',
      helpValue: 'LOGIN',
      multiple: true,
      parse: async (given) => {
        if (given !== '') return given;
        throw new CLIError('expected a login but received nothing');
      },
    }),
    rehearsal: Flags.boolean({
      summary: 'try everything on a throw-away sshd before the host is changed',
      default: true,
      allowNo: true,
    }),
    ...pamFlags,
    expires: Flags.string({
      summary: 'let the node record end unless `renew` refreshes it in time; never: it stays (the default)',
      helpValue: '24h',
    }),
    'allow-fewer-names': Flags.boolean({
      summary: 'on a joined host: new certificates may leave out names of the old ones',
      default: false,
    }),
    ...nodeIdFlag(
      'id of this node, where its record is written elsewhere (see `emit node-resource`)',
      'a new one',
    ),
    register: Flags.boolean({summary: 'write the node record', default: true, allowNo: true}),
    'dry-run': Flags.boolean({
      summary: 'show what would be done, change nothing, spend no token',
      default: false,
    }),
    ...exitCodeFlag,
    yes: Flags.boolean({
      char: 'y',
      summary: 'replace the record that an earlier join of this host left',
      default: false,
    }),
    debug: Flags.boolean({
      char: 'd',
      summary: "taken because Teleport's command has it; does nothing",
      default: false,
      hidden: true,
    }),
  };

  async run(): Promise<Outcome> {
    const {flags, raw} = await this.parse(JoinOpenssh);
    refuseExitCodeAlone(flags, 'joined');
    const {joinFromFlags} = await import('./run-join.js');
    const typed = new Set(raw.flatMap((token) => (token.type === 'flag' ? [token.flag] : [])));
    const admission = await admissionFrom(flags, typed, (text) => this.reporter.warn(text));
    const outcome = await joinFromFlags(
      flags,
      admission,
      this.reporter,
      this.interruptible(),
      this.config.version,
    );
    if (!this.jsonEnabled()) process.stdout.write(`${summary(outcome, flags)}\n`);
    return this.exitBy(flags, outcome);
  }
}

/** The last word to a person. */
function summary({changed, result}: Outcome<JoinReport>, flags: JoinFlags): string {
  if (result.preview !== undefined) return result.preview;
  const {node, cluster} = result;
  if (!changed) return `\n${node.hostname} is joined to ${cluster} already; nothing to change.`;
  const kept =
    result.identity === 'kept'
      ? ''
      : '\nThis host keeps no credential: renewing needs a token or --identity.';
  const {host, 'data-dir': dataDir} = flags;
  const place = dataDir === JoinOpenssh.flags['data-dir'].default ? '' : ` --data-dir ${shellWord(dataDir)}`;
  const there = host === undefined ? '' : ` --host ${shellWord(host)}${flags.sudo ? ' --sudo' : ''}`;
  const login = `tsh ssh ${userInfo().username}@${node.hostname}`;
  const leave = `${host === undefined ? 'sudo ' : ''}agentless leave${there}${place}`;
  return `\nJoined. Log in with:  ${login}      Undo with:  ${leave}${kept}`;
}
