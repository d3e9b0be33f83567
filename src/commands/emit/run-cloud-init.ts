// From flags to user data; makes a token where an identity is given. Loaded only when it is really emitted.

import {X509Certificate} from 'node:crypto';
import {parse} from '@oclif/core/parser';
import {Failure, type Secret} from '../../errors.js';
import {type BootForm, renderBoot} from '../../operations/emit/cloud-init.js';
import {addNodeToken} from '../../operations/tokens.js';
import {parseLabels} from '../../ssh/labels.js';
import {asOperator, type OperatorFlags, type Surroundings, trustFrom} from '../connection.js';
import {parseTtl} from '../duration.js';
import {labelSourcesFrom} from '../join/label-flags.js';
import JoinOpenssh from '../join/openssh.js';
import {readToken} from '../token.js';

interface CloudInitFlags extends Omit<OperatorFlags, 'insecure'> {
  readonly 'token-file': string | undefined;
  readonly ttl: string;
  readonly form: BootForm;
  readonly install: string | undefined;
  readonly 'install-timer': boolean;
}

/** The `result` of the envelope: as with `tokens add`, a token is among what this command is for. */
export interface EmittedBoot {
  readonly form: BootForm;
  /** ISO 8601, of a token that was made for it. */
  readonly expires?: string;
  /** Whether a token was made in the cluster. */
  readonly minted: boolean;
  /** Whether it installs what is missing. */
  readonly installs: boolean;
  readonly text: string;
}

export async function emitCloudInit(
  flags: CloudInitFlags,
  words: readonly string[],
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<EmittedBoot> {
  const dataDir = await checkWords(words);
  const {webAuthorities, caPins} = await trustFrom(flags);
  const {form, install, 'proxy-server': proxy} = flags;
  if (proxy === undefined || proxy === '') {
    throw new Failure('USAGE', '--proxy-server is missing', {hint: 'give it, or set AGENTLESS_PROXY_SERVER'});
  }
  const boot = {
    proxy,
    words: [...caPins.flatMap((pin) => ['--ca-pin', pin]), ...words],
    authorities: webAuthorities.flatMap(certificatesIn),
    install,
    timer: flags['install-timer'],
    dataDir,
  };
  const installs = install !== undefined;
  const given = await givenToken(flags);
  if (given !== undefined) {
    return {form, minted: false, installs, text: renderBoot(form, {...boot, token: given})};
  }
  const ttlSeconds = parseTtl(flags.ttl);
  const {value, expires} = await asOperator({...flags, insecure: false}, surroundings, signal, (operator) =>
    addNodeToken(operator, {ttlSeconds, labels: {}}),
  );
  const end = expires.toISOString();
  const text = renderBoot(form, {...boot, token: value, expires: end});
  return {form, expires: end, minted: true, installs, text};
}

/** Undefined: one is to be made. */
async function givenToken(flags: CloudInitFlags): Promise<Secret | undefined> {
  const file = flags['token-file'];
  const token =
    file === '-'
      ? await readToken('-', undefined, undefined)
      : await readToken(undefined, file, process.env['AGENTLESS_TOKEN']);
  if (token !== undefined || flags.identity) return token;
  throw new Failure('USAGE', 'there is no token for the machine', {
    hint: 'give --token-file, or --identity to have one made',
  });
}

/** Given by this command itself, or of no use at a first boot. */
const OWN = [
  'token',
  'token-file',
  'identity',
  'manual',
  'proxy-server',
  'ca-file',
  'ca-pin',
  'json',
  'dry-run',
];

/** Better now than at the first boot of a thousand machines. Gives the data directory, where the words name one. */
async function checkWords(words: readonly string[]): Promise<string | undefined> {
  const {raw, flags} = await parse([...words], {flags: JoinOpenssh.flags, strict: true, '--': false});
  const typed = raw.flatMap((token) => (token.type === 'flag' ? [token.flag] : []));
  const own = typed.find((flag) => OWN.includes(flag));
  if (own !== undefined) {
    throw new Failure('USAGE', `--${own} cannot be among the words after --`, {
      hint: 'give tokens, the proxy and its authorities to `emit cloud-init` itself',
    });
  }
  // A flag that takes several values takes a mistyped flag for one of them.
  const options: Readonly<Record<string, {readonly type: string}>> = JoinOpenssh.flags;
  const mistyped = raw.find(
    (token) => token.type === 'flag' && options[token.flag]?.type === 'option' && /^--/.test(token.input),
  );
  if (mistyped !== undefined) {
    throw new Failure('USAGE', `\`join openssh\` has no flag ${mistyped.input.replace(/=.*/s, '')}`, {
      hint: 'see `agentless join openssh --help`',
    });
  }
  labelSourcesFrom(flags);
  flags.labels?.forEach(parseLabels);
  return typed.includes('data-dir') ? String(flags['data-dir']) : undefined;
}

/** Each written anew, so that nothing but certificates is in the script. */
function certificatesIn(text: string): string[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    try {
      return new X509Certificate(block).toString();
    } catch (cause) {
      throw new Failure('USAGE', 'a certificate of --ca-file cannot be read', {
        cause,
        hint: 'give a PEM file with --ca-file',
      });
    }
  });
}
