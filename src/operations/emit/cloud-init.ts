// What joins a new machine at its first boot: a script for sh, by itself or in a cloud-config. Nothing is fetched but by
// the command that the user gives. Pure.

import {Failure, type Secret} from '../../errors.js';
import {render} from '../../templates.js';
import {shellLine} from '../timer/quote.js';
import {quoted, yamlBlock} from './quote.js';

export type BootForm = 'cloud-config' | 'sh';

export interface Boot {
  readonly proxy: string;
  readonly token: Secret;
  /** ISO 8601; absent: nobody has said. */
  readonly expires?: string | undefined;
  /** Further words for `join openssh`. */
  readonly words: readonly string[];
  /** PEM texts that the proxy's web certificate is trusted by. */
  readonly authorities: readonly string[];
  /** A line for sh that installs what is missing. */
  readonly install?: string | undefined;
  /** Whether the host is renewed by the clock from then on. */
  readonly timer: boolean;
  /** Where the words say that state is kept. */
  readonly dataDir?: string | undefined;
}

/** Where the script lies until it has run: in memory, and gone at a reboot. */
const PLACE = '/run/agentless-join.sh';

export function renderBoot(form: BootForm, boot: Boot): string {
  const script = scriptOf(boot);
  if (form === 'sh') return script;
  return [
    '#cloud-config',
    '# Holds a join token: user data can be read by whoever may read the metadata of the machine, and by root on it.',
    'write_files:',
    `  - path: ${quoted(PLACE)}`,
    '    owner: "root:root"',
    '    permissions: "0600"',
    '    content: |',
    yamlBlock(script, 6).trimEnd(),
    'runcmd:',
    `  - ["sh", ${quoted(PLACE)}]`,
    '',
  ].join('\n');
}

function scriptOf(boot: Boot): string {
  const {proxy, token, expires, words, authorities, install} = boot;
  const own = ['--proxy-server', proxy, ...words];
  for (const text of [...own, install ?? '', token.reveal()]) refuseControls(text);
  const trust = authorities.length === 0 ? '' : ' --ca-file "$files/ca.pem"';
  return render('cloud-init/bootstrap', {
    proxy,
    needs: install === undefined ? 'both have to be on the image' : 'what is missing is installed below',
    ends: expires ?? 'see where it was made',
    authorities: authorities.length === 0 ? '' : hereDocument('ca.pem', authorities.join('\n')),
    install: install === undefined ? '' : installing(install),
    words: `${shellLine(own)}${trust}`,
    token: token.reveal(),
    timer: boot.timer ? timing(boot) : '',
  });
}

function timing({dataDir}: Boot): string {
  const place = dataDir === undefined ? [] : ['--data-dir', dataDir];
  const command = shellLine(['agentless', 'renew', '--install-timer', ...place]);
  return `[ "$status" -ne 0 ] || {\n  ${command}\n  status=$?\n}\n`;
}

function installing(command: string): string {
  return `command -v agentless >/dev/null || sh -c ${shellLine([command])} || say 'could not be installed'
`;
}

function hereDocument(name: string, text: string): string {
  return `cat >"$files/${name}" <<'END_OF_FILE'\n${text.trimEnd()}\nEND_OF_FILE\n`;
}

/** The script is lines, and YAML takes no other control characters either. */
function refuseControls(text: string): void {
  if (!/[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffe\uffff]/u.test(text)) return;
  throw new Failure('USAGE', 'a word for the script has a control character', {
    hint: 'give such values in a file on the image instead',
  });
}
