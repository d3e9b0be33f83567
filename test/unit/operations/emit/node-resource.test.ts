import {expect} from 'chai';
import {RESOURCE_FORMS, renderResource} from '../../../../src/operations/emit/node-resource.js';
import type {NodeFields} from '../../../../src/operations/node.js';
import {evaluateHcl, formatHcl, hasTerraform, hasYaml, parseYaml} from '../../../support/parsers.js';
import {skip} from '../../../support/skip.js';

const NODE: NodeFields = {
  nodeId: '0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e',
  hostname: 'web1.example.com',
  address: '[2001:db8::1]:2222',
  labels: {env: 'prod', 'aws/team': 'web'},
};
const HOSTILE: NodeFields = {
  ...NODE,
  hostname: '1-web.x',
  labels: {
    '*': '"\\$\u007bx}%\u007bif}',
    'a:b': 'x: y # z\n- w\u2028',
    __proto__X: '{{ x }} $(y)',
    'teleport.dev/x': '',
  },
};

/** The body of a block, as an object on one line. */
const asValue = (body: string) => body.replace(/([^{])\n(?=\s*[^\s}])/g, '$1,');

describe('a node record as code', () => {
  it('is what tctl creates', function () {
    if (!hasYaml()) skip(this, 'no PyYAML');
    for (const node of [NODE, HOSTILE]) {
      expect(parseYaml([renderResource('tctl', node)])).to.deep.equal([
        {
          kind: 'node',
          version: 'v2',
          sub_kind: 'openssh',
          metadata: {name: node.nodeId, labels: node.labels},
          spec: {addr: node.address, hostname: node.hostname},
        },
      ]);
    }
  });

  it('is what the operator takes', function () {
    if (!hasYaml()) skip(this, 'no PyYAML');
    expect(parseYaml([renderResource('operator', NODE)])).to.deep.equal([
      {
        apiVersion: 'resources.teleport.dev/v1',
        kind: 'TeleportOpenSSHServerV2',
        metadata: {name: NODE.nodeId, labels: NODE.labels},
        spec: {addr: NODE.address, hostname: NODE.hostname},
      },
    ]);
  });

  it('is what Terraform reads, written as Terraform writes', function () {
    if (!hasTerraform()) skip(this, 'no Terraform');
    for (const node of [NODE, HOSTILE, {...NODE, labels: {}}]) {
      const text = renderResource('terraform', node);
      expect(formatHcl(text)).to.equal(text);
      const [, name, body = ''] = /^resource "teleport_server" "(\S+)" (\{.*\})\n$/ms.exec(text) ?? [];
      expect(name).to.match(/^[A-Za-z_][\w-]*$/);
      const values = evaluateHcl([asValue(body)]);
      const labels = Object.keys(node.labels).length > 0 ? {labels: node.labels} : {};
      expect(values).to.deep.equal([
        {
          version: 'v2',
          sub_kind: 'openssh',
          metadata: {name: node.nodeId, ...labels},
          spec: {addr: node.address, hostname: node.hostname},
        },
      ]);
    }
  });

  for (const form of RESOURCE_FORMS) {
    it(`says how the host becomes that node (${form})`, () => {
      const words = `--node-id ${NODE.nodeId} --hostname web1.example.com --address '[2001:db8::1]:2222'`;
      expect(renderResource(form, NODE)).to.contain(`#     agentless join openssh --no-register ${words}\n`);
    });
  }

  const kept = {a: '', 'a.b/c_d-e': 'x'.repeat(63), 'aws/Env': 'A.b_c-1'};
  it('keeps the labels that Kubernetes takes', () => {
    expect(renderResource('operator', {...NODE, labels: kept})).to.contain('"aws/Env": "A.b_c-1"');
  });

  const refused = {
    'a b': 'x',
    'a/b/c': 'x',
    '/a': 'x',
    _a: 'x',
    'A/b': 'x',
    a: 'b c',
    b: '-x',
    c: 'x'.repeat(64),
    '*': 'x',
  };
  for (const [name, value] of Object.entries(refused)) {
    it(`refuses for the operator what Kubernetes does: ${name}=${value.slice(0, 9)}`, () => {
      const node = {...NODE, labels: {ok: 'x', [name]: value}};
      expect(() => renderResource('operator', node))
        .to.throw(`Kubernetes does not take these labels: ${name}`)
        .with.property('code', 'USAGE');
      expect(renderResource('tctl', node)).to.contain('kind: node');
    });
  }
});
