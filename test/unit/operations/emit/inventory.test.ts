import {execFileSync} from 'node:child_process';
import {expect} from 'chai';
import type {Node} from '../../../../src/cluster/cluster.js';
import {
  hostsOf,
  type InventoryHost,
  inventoryOf,
  namedHost,
  renderInventory,
} from '../../../../src/operations/emit/inventory.js';
import {hasYaml, parseYaml} from '../../../support/parsers.js';
import {skip} from '../../../support/skip.js';

const ROUTE = {cluster: 'x.example', proxy: 'proxy.x.example:443'};
const HOSTILE = {'a/b': '{{ lookup("pipe", "id") }}', c: '"\n- !!python/object:x {}\u2028', 'd:e': ''};
const node = (id: string, more: Partial<Node> = {}): Node => ({
  id,
  hostname: 'web1',
  address: '10.0.0.5:22',
  labels: {},
  subKind: 'openssh',
  ...more,
});
const names = (hosts: readonly InventoryHost[]) => hosts.map(({name}) => name);

describe('an inventory', () => {
  it('calls a node by name and cluster, and reaches it by its id', () => {
    const {hosts, skipped} = hostsOf([node('id1', {labels: {env: 'prod'}})], 'x.example');
    expect(skipped).to.deep.equal([]);
    expect(hosts).to.deep.equal([
      {
        name: 'web1.x.example',
        vars: {
          ansible_host: 'id1.x.example',
          teleport_node_id: 'id1',
          teleport_address: '10.0.0.5:22',
          teleport_labels: {env: 'prod'},
        },
      },
    ]);
  });

  it('calls nodes by id where several have the name, whatever their case', () => {
    const {hosts} = hostsOf(
      [node('id2', {hostname: 'WEB1'}), node('id1'), node('id3', {hostname: 'a'})],
      'c',
    );
    expect(names(hosts)).to.deep.equal(['a.c', 'id1.c', 'id2.c']);
  });

  it('leaves out what no name of a host is', () => {
    const odd = ['', '-x', 'a b', 'web[1:9]', '{{ x }}', 'a\nb', 'ä'].map((hostname) =>
      node('id1', {hostname}),
    );
    const {hosts, skipped} = hostsOf([...odd, node('id 2'), node('{{ x }}')], 'c');
    expect(hosts).to.deep.equal([]);
    expect(skipped).to.have.length(odd.length + 2);
  });

  it('has no address for a node behind a tunnel', () => {
    const [host] = hostsOf([node('id1', {address: '', subKind: ''})], 'c').hosts;
    expect(host?.vars).not.to.have.property('teleport_address');
  });

  it('reaches names that were given by name and port', () => {
    expect(namedHost('web1', 'c.d')).to.deep.equal({
      name: 'web1.c.d',
      vars: {ansible_host: 'web1.c.d', ansible_port: 22},
    });
    expect(namedHost('WEB1.c.d:2222', 'c.d').vars).to.deep.equal({
      ansible_host: 'web1.c.d',
      ansible_port: 2222,
    });
    for (const text of ['', 'a b', '::1', '{{x}}', 'x:0', '_a'])
      expect(() => namedHost(text, 'c'), text)
        .to.throw()
        .with.property('code', 'USAGE');
  });

  it('is read back by a real parser, in either format, and no value of a label is a template', function () {
    if (!hasYaml()) skip(this, 'no PyYAML');
    const {hosts} = hostsOf([node('id1', {labels: HOSTILE}), node('id2', {hostname: 'a'})], 'x.example');
    const inventory = inventoryOf('teleport', hosts, {...ROUTE, login: 'root'});
    const unsafe = Object.fromEntries(Object.entries(HOSTILE).map(([key, value]) => [key, {unsafe: value}]));
    const expected = (labels: object) => ({
      all: {
        children: {
          teleport: {
            vars: inventory.vars,
            hosts: {
              'a.x.example': {...hosts[0]?.vars},
              'web1.x.example': {...hosts[1]?.vars, teleport_labels: labels},
            },
          },
        },
      },
    });
    expect(parseYaml([renderInventory('yaml', inventory)])).to.deep.equal([expected(unsafe)]);
    const marked = Object.fromEntries(
      Object.entries(HOSTILE).map(([key, value]) => [key, {__ansible_unsafe: value}]),
    );
    expect(JSON.parse(renderInventory('json', inventory))).to.deep.equal(expected(marked));
  });

  it('is one without hosts, too', function () {
    if (!hasYaml()) skip(this, 'no PyYAML');
    const inventory = inventoryOf('g', [], ROUTE);
    const [tree] = parseYaml([renderInventory('yaml', inventory)]);
    expect(tree.all.children.g.hosts).to.deep.equal({});
    expect(JSON.parse(renderInventory('json', inventory))).to.deep.equal(tree);
  });

  const wordsOf = (args: string): string[] => {
    const split = 'import json, shlex, sys; print(json.dumps(shlex.split(sys.argv[1])))';
    return JSON.parse(execFileSync('python3', ['-c', split, args]).toString());
  };

  it('has ssh call tsh, in words that Ansible and a shell take apart rightly', () => {
    const args =
      inventoryOf('g', [], {...ROUTE, proxy: '[2001:db8::1]:443'}).vars['ansible_ssh_common_args'] ?? '';
    expect(wordsOf(args)).to.deep.equal([
      '-o',
      "ProxyCommand=tsh proxy ssh --cluster=x.example '--proxy=[2001:db8::1]:443' %r@%h:%p",
      '-o',
      'UserKnownHostsFile=~/.tsh/known_hosts',
    ]);
    const config = execFileSync('ssh', ['-G', ...wordsOf(args), '-p', '22', 'root@id1.x.example'], {
      stdio: 'pipe',
    }).toString();
    expect(config).to.match(
      /^proxycommand tsh proxy ssh --cluster=x\.example '--proxy=\[2001:db8::1\]:443' %r@%h:%p$/m,
    );
  });

  it('has ssh read a configuration that knows the way, wherever it lies', () => {
    const sshConfig = '/home/a b/it\'s "$x"';
    const args = inventoryOf('g', [], {...ROUTE, sshConfig}).vars['ansible_ssh_common_args'] ?? '';
    expect(wordsOf(args)).to.deep.equal(['-F', sshConfig]);
  });
});
