// What can be said of a configuration by reading it: settings under which no certificate is ever served or accepted.
// `fatal` only where that is certain; what depends on the login, or on what other files hold, is a warning.
import {type CertificateContext, FATAL_RULES, type Rule, WARNING_RULES} from './finding-rules.js';
import {
  allOf,
  appliesToAll,
  type EffectiveConfig,
  inMatches,
  type Setting,
  winning,
} from './sshd-config/index.js';

export type {CertificateContext} from './finding-rules.js';

export interface Finding {
  readonly severity: 'fatal' | 'warn';
  /** One line, lower case, no full stop. */
  readonly message: string;
  /** The line at fault; absent when the value comes from sshd's command line or is built in. */
  readonly file?: string;
  readonly line?: number;
  readonly text?: string;
  readonly hint: string;
}

/**
 * Judges a configuration for host and user certificates. `effective` is what `sshd -T` says without a connection,
 * `settings` are the lines of the same tree, which name the culprit and what Match blocks change.
 */
export function certificateFindings(
  effective: EffectiveConfig,
  settings: readonly Setting[],
  context: CertificateContext,
): Finding[] {
  const fatal = FATAL_RULES.flatMap((rule) => applyRule(rule, 'fatal', effective, settings, context));
  const warnings = WARNING_RULES.flatMap((rule) => applyRule(rule, 'warn', effective, settings, context));
  return [
    ...fatal,
    ...authoritiesInMatches(settings, context),
    ...warnings,
    ...otherCertificates(settings, context),
  ];
}

/** The value for everybody first; then the Match blocks that spoil it for some. One that mends it spares the verdict. */
function applyRule(
  rule: Rule,
  severity: Finding['severity'],
  effective: EffectiveConfig,
  settings: readonly Setting[],
  context: CertificateContext,
): Finding[] {
  const spoils = (value: string) => value !== '' && rule.spoils(value, context);
  const special = inMatches(settings, rule.keyword).filter(({scope}) => !appliesToAll(scope));
  const spoilt = special.filter((setting) => spoils(valueIn(setting)));
  const found = spoilt.map((setting) =>
    finding('warn', `${rule.message} (Match ${setting.scope?.criteria})`, rule.hint, setting),
  );
  const line = winning(settings, rule.keyword);
  const value = effectiveValue(effective, rule) ?? (line && valueIn(line)) ?? '';
  if (!spoils(value)) return found;
  const culprit = line && spoils(valueIn(line)) ? line : undefined;
  const mended = special.length > spoilt.length;
  return [finding(mended ? 'warn' : severity, rule.message, rule.hint, culprit), ...found];
}

/** A Match block wins over our global line; under Match all nobody is left for whom ours counts. */
function authoritiesInMatches(settings: readonly Setting[], {ownFiles = []}: CertificateContext): Finding[] {
  const others = inMatches(settings, 'trustedusercakeys').filter(
    ({args}) => !ownFiles.includes(args[0] ?? ''),
  );
  return others.map((setting) =>
    finding(
      appliesToAll(setting.scope) ? 'fatal' : 'warn',
      `TrustedUserCAKeys in a Match block overrides the authorities of the cluster (Match ${setting.scope?.criteria})`,
      'move that line in front of the first Match, where it can be merged with ours',
      setting,
    ),
  );
}

function otherCertificates(settings: readonly Setting[], {ownFiles = []}: CertificateContext): Finding[] {
  const others = allOf(settings, 'hostcertificate').filter(({args}) => !ownFiles.includes(args[0] ?? ''));
  return others.map((setting) =>
    finding(
      'warn',
      'another HostCertificate is configured; of two for the same key sshd serves the later one',
      'remove that line if the certificate is no longer used',
      setting,
    ),
  );
}

function effectiveValue(effective: EffectiveConfig, rule: Rule): string | undefined {
  const name = [rule.keyword, ...(rule.oldNames ?? [])].find((keyword) => effective.has(keyword));
  return name === undefined ? undefined : effective.all(name).join(' ');
}

function valueIn(setting: Setting): string {
  return setting.args.join(' ');
}

function finding(severity: Finding['severity'], message: string, hint: string, setting?: Setting): Finding {
  const place = setting && {file: setting.file, line: setting.line, text: setting.raw.trim()};
  return {severity, message, ...place, hint};
}
