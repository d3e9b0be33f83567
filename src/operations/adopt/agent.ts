// A Teleport agent at work here. It speaks for the same node, and would put back what an adoption takes out.

import {relative} from 'node:path/posix';
import {Failure} from '../../errors.js';
import type {Host} from '../../host/host.js';
import {lookBehind} from '../../host/look-behind.js';

/** Process id and words of every process called teleport, a line each, words parted by tabs. */
const PROCESSES = `for process in /proc/[0-9]*; do
  read -r name <"$process/comm" || continue
  [ "$name" = teleport ] && printf '%s\\t%s\\n' "\${process#/proc/}" "$(tr '\\000' '\\t' <"$process/cmdline")"
done 2>/dev/null
:`;

const USUAL = {config: '/etc/teleport.yaml', dataDir: '/var/lib/teleport'};

export interface Agent {
  readonly pid: number;
  readonly argv: readonly string[];
}

/** HOST_UNSUITABLE while `teleport` serves SSH, or joins, with this data directory. */
export async function refuseAgent(host: Host, dataDir: string): Promise<void> {
  const {stdout} = await host.run(['/bin/sh', '-c', PROCESSES]);
  for (const agent of readAgents(stdout)) {
    if (!(await servesFrom(host, agent, dataDir))) continue;
    throw new Failure('HOST_UNSUITABLE', `a Teleport agent runs on this host with ${dataDir}`, {
      detail: `pid ${agent.pid}: ${agent.argv.join(' ')}`,
      hint: 'an agent needs no OpenSSH server: keep it, or stop and disable it first (systemctl disable --now teleport), and adopt then',
    });
  }
}

export function readAgents(text: string): readonly Agent[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [pid = '', ...argv] = line.replace(/\t+$/, '').split('\t');
      return {pid: Number(pid), argv};
    });
}

async function servesFrom(host: Host, {argv}: Agent, dataDir: string): Promise<boolean> {
  const told = optionOf(argv, ['--data-dir', '-d']);
  if (argv.includes('join')) return isSame(told ?? USUAL.dataDir, dataDir);
  if (!argv.includes('start')) return false;
  const path = optionOf(argv, ['--config', '-c']) ?? USUAL.config;
  const entry = await lookBehind(host, path).catch(() => undefined);
  const config = entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('utf8') : '';
  const directory = told ?? valueIn(config, /^\s+data_dir:\s*(\S+)/m) ?? USUAL.dataDir;
  if (!isSame(directory, dataDir)) return false;
  const roles = optionOf(argv, ['--roles', '-r']);
  return roles === undefined ? hasSshService(config) : roles.split(',').includes('node');
}

const isSame = (one: string, other: string) => relative(one, other) === '';

/** On unless it is turned off. */
function hasSshService(config: string): boolean {
  const section = /^ssh_service:[^\n]*\n((?:[ \t]+[^\n]*\n?|\s*#[^\n]*\n?|\n)*)/m.exec(config)?.[1] ?? '';
  return !/^(no|false|off)$/i.test(valueIn(section, /^\s+enabled:\s*(\S+)/m) ?? 'yes');
}

function valueIn(text: string, pattern: RegExp): string | undefined {
  return pattern.exec(text)?.[1]?.replace(/^["']|["']$/g, '');
}

function optionOf(argv: readonly string[], names: readonly string[]): string | undefined {
  for (const [index, word] of argv.entries()) {
    const [name = '', ...value] = word.split('=');
    if (!names.includes(name)) continue;
    return value.length > 0 ? value.join('=') : argv[index + 1];
  }
  return undefined;
}
