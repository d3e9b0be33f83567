// What an adoption says of the join that it takes over.

import type {Node} from '../../cluster/cluster.js';
import {count} from '../describe.js';
import type {Adoption} from './adopt.js';
import type {Former} from './find.js';
import type {Takeover} from './takeover.js';

/** Part of the `result` of the JSON envelope. */
export interface Adopted {
  readonly by: 'teleport' | 'hand';
  /** Lines that are out of the configuration. */
  readonly lines: readonly {readonly file: string; readonly line: number; readonly text: string}[];
  /** Host keys that the site's own configuration names from now on. */
  readonly hostKeys: readonly string[];
  /** Files and directories that nothing needs any more. They are left alone. */
  readonly unused: readonly string[];
  /** 'unknown': nobody has asked the cluster, for that takes a token. */
  readonly record: 'kept' | 'absent' | 'unknown';
}

function adopted({former, standing, facts}: Takeover, record: Node | undefined, looked: boolean): Adopted {
  const {fragment} = former;
  const before = fragment === undefined ? [] : fragment.hostKeys;
  const named = facts.effective.all('hostkey');
  const restored = named.filter((path) => !standing.effective.all('hostkey').includes(path));
  return {
    by: fragment === undefined ? 'hand' : 'teleport',
    lines: [...(fragment?.includedBy ?? []), ...former.lines],
    hostKeys: fragment === undefined ? [] : [...before, ...restored],
    unused: former.unused,
    record: record ? 'kept' : looked ? 'absent' : 'unknown',
  };
}

/** One line of progress. */
export function describeFormer({fragment, lines, authorities, nodeId}: Former): string {
  const parts = [
    ...(fragment ? [`${fragment.path} of \`teleport join openssh\``] : []),
    ...(lines.length > 0
      ? [`${count(lines.length, 'line')} by hand in ${[...new Set(lines.map(({file}) => file))].join(', ')}`]
      : []),
    ...authorities.map(({path}) => `keys of the cluster in ${path}`),
    ...(nodeId === undefined ? [] : [`node ${nodeId}`]),
  ];
  return parts.length === 0 ? 'nothing' : parts.join('; ');
}

/** The same of what is no adoption, or may be one. */
export const adoptedBy = (
  adoption: Adoption | undefined,
  record: Node | undefined,
  looked = adoption?.looked,
) => adoption && {adopted: adopted(adoption.takeover, record, looked ?? false)};
