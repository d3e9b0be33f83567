// Whether sshd reads our lines and takes them as meant: the line that brings them in, then what `sshd -T` says, then what
// the running daemon serves.

import type {Glance} from '../../host/glance.js';
import {removeBlock, type Tree} from '../../ssh/sshd-config/index.js';
import {sameBytes} from '../../ssh/wire.js';
import type {Intent, Placed} from './intent.js';
import {type Commands, type Problem, problem} from './problem.js';
import {describeRival, type Rival} from './rivals.js';

/** The line whose absence un-joins a host in silence: a template has rewritten the main file without it. */
export function missingLines(tree: Tree, placed: Placed | undefined, commands: Commands): Problem[] {
  const main = tree.files.get(tree.main) ?? new Uint8Array();
  if (placed?.kind === 'drop-in' && !tree.files.has(placed.path)) {
    const text = `Include ${placed.include} in ${tree.main}`;
    return [
      problem('LINES_MISSING', text, commands.repair, `${placed.path} is there, and sshd does not read it`),
    ];
  }
  if (placed?.kind === 'block' && sameBytes(removeBlock(main), main)) {
    const text = `the marked block of agentless in ${tree.main}`;
    return [problem('LINES_MISSING', text, commands.repair)];
  }
  return [];
}

/** What sshd makes of the whole. `explained`: the missing lines are reported already. */
export function effectProblems(
  {facts}: Glance,
  {certificates, userAuthorities}: Intent,
  rivals: readonly Rival[],
  explained: boolean,
  commands: Commands,
): Problem[] {
  const winning = rivals.filter(({wins}) => wins).map((rival) => overridden(rival, commands));
  if (facts === undefined || explained) return winning;
  const {effective} = facts;
  const served = effective.all('hostcertificate');
  const trusted = effective.one('trustedusercakeys');
  const authorities = trusted === userAuthorities ? [] : [`TrustedUserCAKeys ${userAuthorities}`];
  const known = rivals.some(({wins, keyword}) => wins && keyword === 'TrustedUserCAKeys');
  const absent = [
    ...certificates.filter((path) => !served.includes(path)).map((path) => `HostCertificate ${path}`),
    ...(known ? [] : authorities),
  ];
  if (absent.length === 0) return winning;
  const text = `sshd does not take ${absent.length === 1 ? absent[0] : `${absent.length} of our lines`}`;
  return [...winning, problem('NOT_IN_EFFECT', text, commands.repair, absent.join('\n'))];
}

function overridden(rival: Rival, commands: Commands): Problem {
  const what = rival.keyword === 'HostCertificate' ? 'our certificate' : 'the authorities of the cluster';
  const place = rival.file === undefined ? "sshd's command line" : `${rival.file} line ${rival.line}`;
  const mended =
    rival.keyword === 'TrustedUserCAKeys' && rival.file !== undefined && rival.match === undefined;
  const fix = mended ? commands.repair : `take that setting out of ${place} and reload sshd`;
  return problem('OVERRIDDEN', `${describeRival(rival)} wins over ${what}`, fix);
}
