// What a person's or a bot's roles lack, read from Auth's refusal, and the role that would grant just that.

export interface MissingRule {
  readonly resource: string;
  readonly verbs: readonly string[];
}

const CLAUSE = /access denied to perform action "(\w+)" on "(\w+)"/g;
const MFA = /admin-level API request requires MFA/;

/** One rule for each resource, in the order of the refusal; none when it is about something else. */
export function missingRules(said: string): readonly MissingRule[] {
  const rules = new Map<string, string[]>();
  for (const [, verb = '', resource = ''] of said.matchAll(CLAUSE)) {
    rules.set(resource, [...(rules.get(resource) ?? []), verb]);
  }
  return [...rules].map(([resource, verbs]) => ({resource, verbs: [...new Set(verbs)]}));
}

/**
 * A role with these rules and nothing else. Its name says what it grants, so that making it twice, or on a cluster where
 * another refusal has led to another role, replaces nothing.
 */
export function roleFor(rules: readonly MissingRule[]): string {
  const name = ['agentless', ...rules.flatMap(({resource, verbs}) => [resource, ...verbs])].join('-');
  const lines = rules.map(
    ({resource, verbs}) => `    - {resources: [${resource}], verbs: [${verbs.join(', ')}]}`,
  );
  return roleText(name.replaceAll('_', '-'), ['    rules:', ...lines]);
}

/** A role that shows every node; needed to read node records, not to write them. */
export function roleSeeingNodes(): string {
  return roleText('agentless-see-nodes', ["    node_labels: {'*': '*'}"]);
}

function roleText(name: string, allow: readonly string[]): string {
  return ['kind: role', 'version: v7', `metadata: {name: ${name}}`, 'spec:', '  allow:', ...allow].join('\n');
}

/** How a missing permission is told to whoever holds the identity of `user`. */
export function userDenial(user: string, doing: string, said: string): {message: string; hint: string} {
  const rules = missingRules(said);
  if (rules.length > 0) {
    const lacks = rules.map(({resource, verbs}) => `${resource}: ${verbs.join(', ')}`).join('; ');
    return {message: `${user} may not ${doing}: no role allows ${lacks}`, hint: grant(user, roleFor(rules))};
  }
  if (MFA.test(said)) {
    return {
      message: `the cluster wants a second factor of ${user} to ${doing}, and there is no way to show it here`,
      hint:
        'identities that need none: `tctl auth sign --format=file --user=USER --out=FILE` on the auth host itself,\n' +
        'or the output of tbot',
    };
  }
  return {
    message: `the cluster does not allow ${user} to ${doing}`,
    hint: 'see `tctl get locks` for a lock on the user, and the roles that the user has',
  };
}

/** What an administrator does about it: first the role, then who gets it. */
export function grant(user: string, role: string): string {
  const [, name = ''] = /metadata: \{name: (\S+)\}/.exec(role) ?? [];
  // Users are given all their roles at once.
  const give = user.startsWith('bot-')
    ? `tctl bots update ${user.slice(4)} --add-roles=${name}`
    : `tctl users update ${user} --set-roles=THOSE-OF-NOW,${name}`;
  return [
    'let an administrator store the role below in role.yaml, run',
    '`tctl create -f role.yaml` and',
    `\`${give}\`;`,
    'then make the identity anew, for it has the roles of when it was made',
    role,
  ].join('\n');
}
