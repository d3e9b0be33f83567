// What the roles of people and bots allow: the presets as measured on 18.0.0, and the one that agentless asks for.

import type {UserCaller} from './caller.js';

export interface Rule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

export interface Role {
  readonly rules: readonly Rule[];
  /** True: sees every node. (Real roles choose nodes by their labels.) */
  readonly seesNodes: boolean;
}

export type Roles = Readonly<Record<string, Role>>;

const EVERYTHING = ['create', 'update', 'list', 'read', 'delete'];

export const ROLES: Roles = {
  editor: {seesNodes: false, rules: [{resources: ['token', 'node'], verbs: EVERYTHING}]},
  access: {seesNodes: true, rules: []},
  auditor: {seesNodes: false, rules: []},
  'agentless-ops': {
    seesNodes: true,
    rules: [
      {resources: ['token'], verbs: EVERYTHING},
      {resources: ['node'], verbs: ['create', 'update', 'delete']},
      {resources: ['host_cert'], verbs: ['create']},
    ],
  },
};

/** The verbs that none of the caller's roles allows; a role that does not exist allows nothing. */
export function missingVerbs(
  caller: UserCaller,
  resource: string,
  verbs: readonly string[],
  further: Roles = {},
): readonly string[] {
  const rules = rolesOf(caller, further).flatMap((role) => role.rules);
  const allows = (verb: string) =>
    rules.some((rule) => rule.resources.includes(resource) && rule.verbs.includes(verb));
  return verbs.filter((verb) => !allows(verb));
}

export function seesNodes(caller: UserCaller, further: Roles = {}): boolean {
  return rolesOf(caller, further).some((role) => role.seesNodes);
}

function rolesOf({roles}: UserCaller, further: Roles): readonly Role[] {
  const known: Roles = {...ROLES, ...further};
  return roles.flatMap((name) => (Object.hasOwn(known, name) ? [known[name] ?? []].flat() : []));
}
