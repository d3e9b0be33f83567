import {readFileSync, writeFileSync} from 'node:fs';
import {expect} from 'chai';
import {COMMANDS} from '../../../src/commands/index.js';

// Scripts rely on every command and flag. To change one is a deliberate act: run this test with UPDATE_GOLDEN=1, and
// say in CHANGELOG.md what the difference in test/golden/commands.json means to them.

const GOLDEN = new URL('../../golden/commands.json', import.meta.url);

/** What scripts can see of a flag. */
const KEPT = [
  'type',
  'char',
  'default',
  'required',
  'multiple',
  'options',
  'allowNo',
  'env',
  'hidden',
  'deprecated',
  'exclusive',
  'dependsOn',
  'min',
  'max',
] as const;

function describeFlag(flag: object): object {
  const fields: Partial<Record<(typeof KEPT)[number], unknown>> = flag;
  const told = KEPT.map((name) => [name, fields[name]] as const);
  return Object.fromEntries(
    told.filter(([name, value]) => value !== undefined && (value !== false || name === 'default')),
  );
}

/** The registry as data, in alphabetical order. */
function describeCommands(): object {
  const sorted = <T>(entries: [string, T][]) => entries.sort(([a], [b]) => a.localeCompare(b, 'en'));
  const commands = Object.entries(COMMANDS).map(([id, command]): [string, object] => {
    const flags = Object.entries(Object(command.flags)).map(([name, flag]): [string, object] => [
      name,
      describeFlag(Object(flag)),
    ]);
    const {aliases, hidden, strict, enableJsonFlag} = command;
    const args = Object.keys(Object(command.args));
    return [
      id,
      {
        json: enableJsonFlag,
        hidden: hidden === true,
        strict,
        aliases,
        args,
        flags: Object.fromEntries(sorted(flags)),
      },
    ];
  });
  return Object.fromEntries(sorted(commands));
}

describe('commands and flags', () => {
  it('are what scripts know them to be', () => {
    const now = JSON.parse(JSON.stringify(describeCommands()));
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(GOLDEN, `${JSON.stringify(now, null, 2)}\n`);
    const golden = JSON.parse(readFileSync(GOLDEN, 'utf8'));
    expect(now, 'on purpose? then UPDATE_GOLDEN=1, and a line in CHANGELOG.md').to.deep.equal(golden);
  });

  it('have a summary each, in lower case and without a full stop', () => {
    for (const [id, {summary, flags}] of Object.entries(COMMANDS)) {
      const flagSummaries = Object.entries(Object(flags)).map(([name, flag]) => [name, Object(flag).summary]);
      for (const [name, text] of [[id, summary], ...flagSummaries]) {
        expect(text, `${id} ${name}`).to.match(/^[a-zA-Z].*[^.\s]$/);
        expect(text, `${id} ${name}`).to.match(/^([a-z]|PEM|SSH|Teleport|AWS|EC2|IAM)/);
      }
    }
  });

  it('include every flag of `teleport join openssh`, so that scripts can be moved over', () => {
    const flags = Object.keys(COMMANDS['join:openssh'].flags);
    expect(flags).to.include.members([
      'proxy-server',
      'token',
      'join-method',
      'openssh-config',
      'data-dir',
      'restart-sshd',
      'sshd-check-command',
      'sshd-restart-command',
      'insecure',
      'labels',
      'address',
      'additional-principals',
      'debug',
    ]);
  });
});
