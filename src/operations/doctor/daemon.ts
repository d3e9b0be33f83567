// The daemon: does it run and as what, what is on its command line, what it shows for each type of key, and whether the
// address that the cluster has on record leads to it.

import type {Duplex} from 'node:stream';
import {asFailure, Failure} from '../../errors.js';
import type {HostFacts} from '../../host/facts.js';
import type {Glance} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {parseAddress} from '../../ssh/address.js';
import {certificateAlgorithms} from '../../ssh/algorithms.js';
import {settings, winning} from '../../ssh/sshd-config/index.js';
import {sameBytes} from '../../ssh/wire.js';
import {askServed, endpoint} from '../proof.js';
import {shortType} from '../rehearsal.js';
import type {Held} from '../status/certificates.js';
import type {Commands} from '../status/problem.js';
import {bad, type Finding, ok, skip} from './finding.js';

export function sshdFinding({daemon, version, obstacles, probe}: Glance): Finding {
  if (daemon === undefined || version === undefined) {
    const [met] = obstacles;
    return bad('fail', 'sshd', met?.message ?? 'there is no sshd on this host', {fix: met?.hint ?? ''});
  }
  const name = `sshd ${version.join('.')}`;
  const {process, socket, listening} = daemon;
  const where = listening.length > 0 ? `, listening on ${listening.join(', ')}` : '';
  if (daemon.state === 'socket')
    return ok('sshd', `${name}, started by ${socket} for the next connection${where}`);
  if (process === undefined) {
    const proof = probe.listeners.map(({pid, argv}) => `pid ${pid}: ${argv.join(' ')}`).join('\n');
    const text = `${name} does not run with this configuration, so nobody can log in`;
    return bad('fail', 'sshd', text, {
      proof,
      fix: 'start it, for example with `systemctl start ssh`; its log says why it ended',
    });
  }
  const unit = process.unit === undefined ? 'no unit' : process.unit;
  const activated = socket === undefined ? '' : `, with ${socket} (restart, never reload)`;
  return ok('sshd', `${name}, pid ${process.pid}, ${unit}${activated}${where}`, process.argv.join(' '));
}

/** Options win over every file, and no look into sshd_config shows them. */
export function optionsFinding({daemon}: Glance): Finding {
  if (daemon?.process === undefined) return skip('options', 'sshd does not run, so it has no command line');
  const settings = daemon.options.flatMap((word, index) =>
    word === '-o' ? (daemon.options[index + 1] ?? []) : [],
  );
  const shown = daemon.process.argv.join(' ');
  if (daemon.options.length === 0) return ok('options', 'none that decide its configuration', shown);
  const decisive = settings.filter((one) =>
    /^(HostCertificate|TrustedUserCAKeys|HostKey|HostKeyAlgorithms|PubkeyA|CASig|Authorized|RevokedKeys|Permit|Allow|Deny)/i.test(
      one,
    ),
  );
  if (decisive.length === 0) return ok('options', daemon.options.join(' '), shown);
  const text = `${decisive.join(', ')} on sshd's command line wins over every file`;
  const from = whoStarts(daemon.process.unit);
  return bad('warn', 'options', text, {
    proof: shown,
    fix: `move it into the file, or know that it is there: ${from}`,
  });
}

function whoStarts(unit: string | undefined): string {
  return unit === undefined ? 'look at what starts sshd' : `systemctl cat ${unit}`;
}

/** What the daemon shows for each type of key, against the file: one connection each. */
export async function servedFindings(
  host: Host,
  {facts}: Glance,
  held: readonly Held[],
  commands: Commands,
): Promise<Finding[]> {
  if (facts === undefined || held.length === 0)
    return [skip('served', 'there is no certificate to compare with')];
  if (facts.daemon.state === 'stopped') return [skip('served', 'sshd does not run')];
  const {repair} = commands;
  const shown = await Promise.all(
    held.map(async ({file, certificate}) => {
      const key = facts.hostKeys.find(({blob}) => sameBytes(blob, certificate.key));
      const type = shortType(certificate.keyType);
      if (key === undefined)
        return {type, wrong: `${file} is for a key that sshd does not serve`, fix: repair};
      if (key.certificateBy.length === 0) {
        const wrong = 'HostKeyAlgorithms leaves out certificates of this type';
        return {type, wrong, fix: allowCertificates(facts, key.type)};
      }
      const blob = await askServed(host, facts, key.certificateBy).catch(asFailure);
      if (blob instanceof Failure) return {type, unseen: blob};
      const wanted = Buffer.from(certificate.line.split(' ')[1] ?? '', 'base64');
      if (blob !== undefined && sameBytes(blob, wanted)) return {type};
      const wrong =
        blob === undefined
          ? 'no certificate is shown, or no answer comes'
          : `another one than ${file} is shown`;
      return {type, wrong, fix: repair};
    }),
  );
  const unseen = shown.find((one) => 'unseen' in one)?.unseen;
  if (unseen !== undefined) return [skip('served', unseen.message, unseen.hint)];
  const faults = shown.flatMap((one) => ('wrong' in one ? [one] : []));
  const types = shown.map(({type}) => type).join(', ');
  const {address, port} = endpoint(facts);
  if (faults.length === 0) return [ok('served', `${types}, as written, at ${address} port ${port}`)];
  const text = `${address} port ${port} does not show every certificate as it was written`;
  return [
    bad('fail', 'served', text, {
      proof: faults.map(({type, wrong}) => `${type}: ${wrong}`).join('\n'),
      fix: [...new Set(faults.map(({fix}) => fix))].join('\n'),
    }),
  ];
}

/** No repair of ours touches that line. */
function allowCertificates({tree, dialect, daemon}: HostFacts, keyType: string): string {
  const line = winning(settings(tree, dialect), 'hostkeyalgorithms');
  const option = daemon.options.some((word) => /^HostKeyAlgorithms[= ]/i.test(word));
  const where = option
    ? "on sshd's command line"
    : line === undefined
      ? 'in its configuration'
      : `in ${line.file} line ${line.line}`;
  return `let HostKeyAlgorithms ${where} allow ${certificateAlgorithms(keyType)[0]}, and reload sshd`;
}

const PATIENCE = 5000;

/** Seen from this host itself: a firewall between the proxy and here is not seen. */
export async function addressFinding(
  host: Host,
  {facts}: Glance,
  address: string,
  held: readonly Held[],
  patience = PATIENCE,
): Promise<Finding> {
  const {host: name, port} = parseAddress(address, 22);
  const banner = await greeting(host, name, port, patience).catch(asFailure);
  if (banner instanceof Failure) return skip('address', banner.message, banner.hint);
  const seen = 'seen from this host itself, not from the proxy';
  if (!banner.startsWith('SSH-')) {
    const text = `nobody answers as an SSH server at ${address} (${seen})`;
    const fix =
      'if that is its address, look at firewalls and ListenAddress; else register the one that the proxy can dial: sudo agentless join openssh --address HOST:PORT';
    return bad('fail', 'address', text, {proof: banner, fix});
  }
  const [first] = held;
  const key = first && facts?.hostKeys.find(({blob}) => sameBytes(blob, first.certificate.key));
  if (key === undefined || facts === undefined || key.plainBy.length === 0)
    return ok('address', `${address} answers (${seen})`, banner);
  const there = {...facts, daemon: {...facts.daemon, listening: [address]}};
  const blob = await askServed(host, there, key.plainBy);
  if (blob !== undefined && sameBytes(blob, key.blob))
    return ok('address', `${address} answers with this host's key (${seen})`, banner);
  const text = `${address} answers, and not with a key of this host (${seen})`;
  return bad('fail', 'address', text, {
    proof: banner,
    fix: 'register the address of this host: sudo agentless join openssh --address HOST:PORT',
  });
}

async function greeting(host: Host, address: string, port: number, patience: number): Promise<string> {
  const signal = AbortSignal.timeout(patience);
  let stream: Duplex | undefined;
  try {
    stream = await host.dial(address, port, signal);
    for await (const bytes of stream)
      return (
        Buffer.from(bytes as Uint8Array)
          .toString('latin1')
          .split('\n')[0]
          ?.trim() ?? ''
      );
    return 'the connection was closed without a word';
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (signal.aborted) return `no answer within ${patience / 1000} s`;
    return error instanceof Error ? error.message : String(error);
  } finally {
    stream?.destroy();
  }
}
