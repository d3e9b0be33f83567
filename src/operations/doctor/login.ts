// Whether a login would get in, decided by trying it: the live configuration on a throw-away `sshd -i`, a real client, a
// throw-away certificate. Then explained, by sshd's own words and by what stands in the files.

import {join} from 'node:path/posix';
import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {sshdCommand} from '../../host/sshd.js';
import {formatPublicKey, generateKey, publicBlob} from '../../ssh/key.js';
import {type EffectiveConfig, inMatches, parseEffective, settings} from '../../ssh/sshd-config/index.js';
import {type KeyKind, Visitor} from '../ephemeral.js';
import {type Client, type HandshakeResult, reasonOf} from '../handshake.js';
import {onStage} from '../stage.js';
import {lineOf, settingsBehind} from '../verdict.js';
import {accountNotes, type Note, readAccount} from './account.js';
import {bad, type Finding, ok} from './finding.js';
import {remedyFor} from './remedy.js';
import {whatIsWrongWith} from './signers.js';

export interface Visit {
  readonly logins: readonly string[];
  /** Of the authority that the cluster signs users with, so that CASignatureAlgorithms is tested as well. */
  readonly kind: KeyKind;
  /** Keys that sign users now, "type base64": of the cluster where it was asked, else those that a join has left here. */
  readonly signers: readonly string[];
  /** What keeps certificates of the cluster out that a throw-away one does not meet. */
  readonly obstacles: readonly Note[];
}

export async function loginFindings(
  host: Host,
  facts: HostFacts,
  {logins, kind, signers, obstacles}: Visit,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  await onStage(host, facts.probe.uid, async ({path: stage, put}) => {
    const authority = generateKey(kind);
    const trusted = await put('trusted', `${formatPublicKey(publicBlob(authority))}\n`);
    // The client is to trust the host as it is: what it shows is looked at elsewhere.
    const known = facts.hostKeys.map(({blob}) => `* ${formatPublicKey(blob)}\n`).join('');
    const client: Client = {
      knownHosts: await put('known_hosts', known),
      server: throwAway(facts, trusted),
      log: join(stage, 'log'),
    };
    const visitor = new Visitor(put, authority, kind);
    for (const user of logins) {
      const own = await effectiveFor(host, facts, user);
      const other = await otherAuthorities(host, facts, user, own, signers);
      if (other === undefined) {
        const tried = await visitor.tries(host, client, 'agentless-doctor', user);
        findings.push(keptOut(await judgeLogin(host, facts, user, own, tried), obstacles));
      } else findings.push(other);
    }
  });
  return findings;
}

/** A login that gets in by the authority of the rehearsal, and would not by those of the cluster. */
function keptOut(finding: Finding, obstacles: readonly Note[]): Finding {
  const [first, ...others] = obstacles;
  if (first === undefined || finding.status === 'fail') return finding;
  const {login = '', cause = [], fix = []} = finding;
  const also = 'an authority of a rehearsal in its place lets this login in';
  return {
    ...bad('fail', 'login', `${login} would be refused: ${first.text}`, {
      cause: [...others.map(({text}) => text), also, cause].flat().join('\n'),
      fix: [...obstacles.map((one) => one.fix), fix].flat().join('\n'),
    }),
    login,
  };
}

/** What sshd makes of its configuration for this login; undefined: it does not say. */
async function effectiveFor(
  host: Host,
  facts: HostFacts,
  login: string,
): Promise<EffectiveConfig | undefined> {
  const connection = ['-C', `user=${login},host=localhost,addr=127.0.0.1`];
  const {status, stdout} = await host.run([...sshdCommand(facts.daemon, '-T', facts.config), ...connection]);
  return status === 0 ? parseEffective(stdout) : undefined;
}

/**
 * A Match block that gives this login authorities of its own wins over the command line, and so over ours: then the file
 * that it names decides, and is read instead.
 */
async function otherAuthorities(
  host: Host,
  facts: HostFacts,
  login: string,
  effective: EffectiveConfig | undefined,
  signers: readonly string[],
): Promise<Finding | undefined> {
  const file = effective?.one('trustedusercakeys');
  if (file === undefined || file === facts.effective.one('trustedusercakeys')) return undefined;
  const line = inMatches(settings(facts.tree, facts.dialect), 'trustedusercakeys').find(
    ({args}) => args[0] === file,
  );
  const proof =
    line === undefined
      ? ''
      : `${line.file} line ${line.line}: ${line.raw.trim()} (Match ${line.scope?.criteria})`;
  const lacks = file === 'none' ? undefined : await whatIsWrongWith(host, file, signers);
  if (file !== 'none' && signers.length > 0 && lacks === undefined) {
    const text = `${login} is given authorities of its own by a Match block, with the cluster's among them; the login itself was not rehearsed`;
    return {...bad('warn', 'login', text, {proof}), login};
  }
  const text = `${login} would be refused: for this login sshd trusts ${file} instead of the authorities of the cluster`;
  return {
    ...bad('fail', 'login', text, {
      proof,
      cause: lacks ?? '',
      fix: "take that line out, or add the cluster's keys to that file",
    }),
    login,
  };
}

/** Options come first to win: ours before those of the daemon, whose files are all the same its own. */
function throwAway(facts: HostFacts, trusted: string): readonly string[] {
  const [program = '', mode = '', ...rest] = sshdCommand(facts.daemon, '-i', facts.config);
  return [program, mode, '-o', `TrustedUserCAKeys=${trusted}`, ...rest];
}

async function judgeLogin(
  host: Host,
  facts: HostFacts,
  login: string,
  effective: EffectiveConfig | undefined,
  {ok: entered, client, log}: HandshakeResult,
): Promise<Finding> {
  const account = await readAccount(host, login, facts);
  const notes = accountNotes(account, facts);
  const tried = 'rehearsed for real, as far as a command that does nothing';
  if (entered) {
    const text = `${login} would get in (${tried})`;
    if (notes.length === 0) return {...ok('login', text), login};
    const fix = notes.map((note) => note.fix).join('\n');
    return {...bad('warn', 'login', text, {cause: notes.map(({text: why}) => why).join('\n'), fix}), login};
  }
  const said = reasonOf(log);
  const reason = said ?? client;
  const behind = settingsBehind(facts, reason, effective);
  const why = [...behind.map(lineOf), ...notes.map(({text: note}) => note)].join('\n');
  const fix = remedyFor(login, reason, behind) ?? notes.map((note) => note.fix).join('\n');
  const finding = bad('fail', 'login', `${login} would be refused (${tried})`, {
    proof: `${said === undefined ? 'the client' : 'sshd'} says: ${reason}`,
    cause: why,
    fix: fix === '' ? "look at sshd's own log while somebody tries, with LogLevel DEBUG1" : fix,
  });
  return {...finding, login};
}
