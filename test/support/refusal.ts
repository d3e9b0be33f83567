// A join that must be refused, and a host that must not notice.

import {existsSync} from 'node:fs';
import {connect} from 'node:net';
import {expect} from 'chai';
import {agentless, type CliOptions} from './cli.js';
import {withFlags} from './flags.js';
import {type Envelope, envelope, type Stage} from './stage.js';

/** What a server on a loopback port says first; empty when nobody answers. */
export function greeting(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(5000, () => socket.destroy());
    socket.once('data', (data) => {
      socket.destroy();
      resolve(data.toString('latin1').trim());
    });
    socket.once('error', () => resolve(''));
    socket.once('close', () => resolve(''));
  });
}

export interface Refused {
  readonly exit: number;
  readonly code: string;
  /** Found in the message. */
  readonly says?: RegExp;
  /** Found in somebody else's words under it. */
  readonly detail?: RegExp;
}

export interface Attempt extends CliOptions {
  /** The token; the cluster's own unless given. */
  readonly token?: string;
  /** Flags that replace those of the stage; undefined leaves one out. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
  /** True when the cluster may have been given the token. */
  readonly spent?: boolean;
  /** True when this sshd cannot answer, join or not. */
  readonly silent?: boolean;
}

/** Joins, and sees that it is refused as expected and that the host is what it was, to the byte and the mode. */
export async function refused(
  stage: Stage,
  expected: Refused,
  words: readonly string[] = [],
  {token = stage.cluster.token, flags = {}, spent = false, silent = false, ...options}: Attempt = {},
): Promise<Envelope> {
  const before = await stage.host();
  const nodes = stage.cluster.nodes();
  const joins = joinsOf(stage);
  const argv = withFlags([...stage.words, '--token', '-', '--timeout', '20', ...words, '--json'], flags);
  const result = await agentless(argv, {input: `${token}\n`, ...options});
  const said = `${result.stdout}${result.stderr}`;
  if (token !== '') expect(said, 'the token is never shown').to.not.include(token);
  expect(result.stderr, 'only the envelope under --json').to.equal('');
  const answer = envelope(result);
  expect({exit: answer.exit, status: answer.status, code: answer.error?.code}, said).to.deep.equal({
    exit: expected.exit,
    status: expected.exit,
    code: expected.code,
  });
  expect(answer.changed).to.equal(false);
  expect(answer.error?.message, said).to.match(/^[^A-Z].*[^.]$/);
  expect(answer.error?.message).to.match(expected.says ?? /./);
  if (expected.detail) expect(answer.error?.detail, said).to.match(expected.detail);
  expect(answer.error?.hint, said).to.be.a('string').that.is.not.empty;
  expect(await stage.host(), 'the host is as it was').to.deep.equal(before);
  expect(existsSync(stage.dataDir), 'nothing is left in the data directory').to.equal(false);
  expect(stage.cluster.nodes()).to.deep.equal(nodes);
  if (!spent) expect(joinsOf(stage), 'no token is spent').to.equal(joins);
  if (!silent) expect(await greeting(stage.sshd.port), 'sshd answers').to.match(/^SSH-2\.0-/);
  return answer;
}

/** How often a token has been handed in. */
export function joinsOf({cluster}: Stage): number {
  return cluster.stats.requests['POST /webapi/host/credentials'] ?? 0;
}
