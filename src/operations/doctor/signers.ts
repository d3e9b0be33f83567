// Whether sshd would take a certificate of the cluster itself. A rehearsal cannot tell: nobody here has such a certificate, so
// it puts an authority of its own in front of the file that sshd reads. That file is read here as sshd reads it.

import type {HostFacts} from '../../host/facts.js';
import type {Entry, Host} from '../../host/host.js';
import {fingerprintOf, keysThatCount} from '../status/authorities.js';
import type {Commands} from '../status/problem.js';
import type {Note} from './account.js';

/** What sshd trusts for everybody keeps these signers out; undefined: nothing does, as far as the signers are known. */
export async function signersKeptOut(
  host: Host,
  {effective}: Pick<HostFacts, 'effective'>,
  signers: readonly string[],
  {file: own, joined, commands}: {file: string; joined: boolean; commands: Commands},
): Promise<Note | undefined> {
  if (!joined && signers.length === 0) return undefined;
  const file = effective.one('trustedusercakeys') ?? 'none';
  const trusts = joined ? commands.repair : commands.join;
  if (file === 'none') return {text: 'sshd trusts no authority of users (TrustedUserCAKeys)', fix: trusts};
  const wrong = await whatIsWrongWith(host, file, signers);
  if (wrong === undefined) return undefined;
  const fix = joined && file === own && wrong.startsWith(`${file} lacks`) ? commands.renew : trusts;
  return {text: wrong, fix: wrong.endsWith(IN_ITS_PLACE) ? `move it away, then: ${trusts}` : fix};
}

const IN_ITS_PLACE = 'is no regular file';

/** Why certificates of these signers are refused by a sshd that trusts this file, in one line. */
export async function whatIsWrongWith(
  host: Host,
  file: string,
  signers: readonly string[],
): Promise<string | undefined> {
  const entry = await readBehind(host, file);
  if (typeof entry === 'string') return `${file} ${entry}`;
  // sshd would wait for ever on a pipe.
  if (entry.kind !== 'file') return `${file} ${IN_ITS_PLACE}`;
  const keys = keysThatCount(Buffer.from(entry.bytes).toString('latin1')).map(fingerprintOf);
  if (keys.length === 0) return `${file} holds no key that sshd gets to`;
  const lacking = signers.map(fingerprintOf).filter((signer) => !keys.includes(signer));
  if (lacking.length === 0) return undefined;
  return `${file} lacks ${lacking.join(', ')}, with which the cluster signs users now`;
}

async function readBehind(host: Host, file: string): Promise<Entry | string> {
  try {
    return (await host.look(await host.resolve(file))) ?? 'does not exist';
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return missing ? 'does not exist' : 'cannot be read';
  }
}
