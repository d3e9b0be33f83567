// The node record of a host as code, for sites where something else than the host writes it. The host's half of the same
// node is a join that does not register. Pure.

import {Failure} from '../../errors.js';
import type {NodeFields} from '../node.js';
import {shellLine} from '../timer/quote.js';
import {hclQuoted, quoted} from './quote.js';

export const RESOURCE_FORMS = ['tctl', 'terraform', 'operator'] as const;

export type ResourceForm = (typeof RESOURCE_FORMS)[number];

/** The words that make the host the node of this record. */
export function hostHalf({nodeId, hostname, address}: NodeFields): readonly string[] {
  const names = ['--node-id', nodeId, '--hostname', hostname, '--address', address];
  return ['agentless', 'join', 'openssh', '--no-register', ...names];
}

/** USAGE for what the form cannot hold. */
export function renderResource(form: ResourceForm, node: NodeFields): string {
  const comment = [
    `# The node ${node.hostname} of a Teleport cluster, ${USE[form]}`,
    '# The host becomes this node by (with the proxy and a token besides):',
    `#     ${shellLine(hostHalf(node))}`,
    '',
  ];
  return [...comment, ...RENDER[form](node), ''].join('\n');
}

const USE: Readonly<Record<ResourceForm, string>> = {
  tctl: 'for `tctl create -f`',
  terraform: "for Terraform's provider terraform.releases.teleport.dev/gravitational/teleport",
  operator: "for Teleport's Kubernetes operator",
};

const RENDER: Readonly<Record<ResourceForm, (node: NodeFields) => readonly string[]>> = {
  tctl: (node) => [
    'kind: node',
    'version: v2',
    'sub_kind: openssh',
    'metadata:',
    `  name: ${quoted(node.nodeId)}`,
    ...yamlLabels(node),
    ...yamlSpec(node),
  ],
  terraform,
  operator: (node) => {
    refuseOtherLabels(node);
    return [
      'apiVersion: resources.teleport.dev/v1',
      'kind: TeleportOpenSSHServerV2',
      'metadata:',
      `  name: ${quoted(node.nodeId)}`,
      ...yamlLabels(node),
      ...yamlSpec(node),
    ];
  },
};

function terraform(node: NodeFields): readonly string[] {
  const pairs = Object.entries(node.labels).map(
    ([name, value]) => [hclQuoted(name), hclQuoted(value)] as const,
  );
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  const labels = pairs.map(([name, value]) => `      ${name.padEnd(width)} = ${value}`);
  return [
    `resource "teleport_server" "${identifier(node.hostname)}" {`,
    '  version  = "v2"',
    '  sub_kind = "openssh"',
    '  metadata = {',
    `    name = ${hclQuoted(node.nodeId)}`,
    ...(labels.length === 0 ? [] : ['    labels = {', ...labels, '    }']),
    '  }',
    '  spec = {',
    `    addr     = ${hclQuoted(node.address)}`,
    `    hostname = ${hclQuoted(node.hostname)}`,
    '  }',
    '}',
  ];
}

/** Names of resources have letters, digits, _ and -, and do not begin with a digit. */
function identifier(hostname: string): string {
  return hostname.replace(/[^A-Za-z0-9_-]/g, '_').replace(/^(?=[\d-])/, '_');
}

function yamlLabels({labels}: NodeFields): readonly string[] {
  const lines = Object.entries(labels).map(([name, value]) => `    ${quoted(name)}: ${quoted(value)}`);
  return lines.length === 0 ? [] : ['  labels:', ...lines];
}

function yamlSpec({hostname, address}: NodeFields): readonly string[] {
  return ['spec:', `  addr: ${quoted(address)}`, `  hostname: ${quoted(hostname)}`];
}

/** There the labels of a resource are those of Kubernetes, which takes less than the cluster. */
function refuseOtherLabels({labels}: NodeFields): void {
  const word = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
  const prefix = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
  const refused = Object.entries(labels).filter(([name, value]) => {
    const [last = '', ...before] = name.split('/').reverse();
    const isName = word.test(last) && before.length < 2 && before.every((part) => prefix.test(part));
    return !isName || (value !== '' && !word.test(value));
  });
  if (refused.length === 0) return;
  const names = refused.map(([name]) => name).join(', ');
  throw new Failure('USAGE', `Kubernetes does not take these labels: ${names}`, {
    hint: 'names and values may have 63 letters, digits and . _ - there; use --form tctl or terraform for others',
  });
}
