import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {expect} from 'chai';
import {type Former, findFormer, isNothing} from '../../../../src/operations/adopt/find.js';
import {takeOut} from '../../../../src/operations/adopt/take-out.js';
import {planTakeover} from '../../../../src/operations/adopt/takeover.js';
import {FOREVER, signCertificate} from '../../../../src/ssh/certificate.js';
import {formatPublicKey, generateKey, parsePublicKey, publicBlob} from '../../../../src/ssh/key.js';
import {failure, hostKey} from '../../../support/cluster-client.js';
import {PrivateHost} from '../../../support/private-host.js';

const ID = '0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e';
const authority = generateKey('ed25519');

describe('what an earlier join has left', () => {
  let box: PrivateHost;
  let key: string;
  before(() => {
    box = new PrivateHost();
    key = box.key('own');
    mkdirSync(box.at('teleport/openssh'), {recursive: true});
    execFileSync('ssh-keygen', [
      '-q',
      '-t',
      'ecdsa',
      '-N',
      '',
      '-f',
      box.at('teleport/openssh/ssh_host_teleport_key'),
    ]);
  });
  after(() => box[Symbol.dispose]());

  const FRAGMENT = () => [
    `TrustedUserCAKeys ${box.at('teleport/openssh/teleport_openssh_ca.pub')}`,
    `HostKey ${box.at('teleport/openssh/ssh_host_teleport_key')}`,
    `HostCertificate ${box.at('teleport/openssh/ssh_host_teleport_key-cert.pub')}`,
  ];

  function write(name: string, text: string): string {
    mkdirSync(dirname(box.at(name)), {recursive: true});
    return box.write(name, text);
  }

  /** A certificate of a cluster for the key in this file. */
  function certify(name: string, cluster: string, principals = ['web1']): string {
    const {blob} = parsePublicKey(readFileSync(box.at(`${name}.pub`), 'latin1'));
    const extensions = {'x-teleport-role': 'Node', 'x-teleport-authority': cluster};
    const fields = {
      type: 'host',
      key: blob,
      principals,
      extensions,
      validAfter: 0n,
      validBefore: FOREVER,
    } as const;
    return write(`${name}-cert.pub`, `${signCertificate(fields, authority)}\n`);
  }

  async function find(lines: readonly string[], known: readonly string[] = []): Promise<Former> {
    box.configure([key], ...lines);
    return findFormer(box.host, await box.look(), 'c.example', async () => known);
  }
  const textsOf = ({lines}: Former) => lines.map(({text}) => text);

  it('is nothing on a host with authorities and certificates of others', async () => {
    const other = certify('own', 'other.example');
    const ca = write('ca', `${hostKey()}\n`);
    const found = await find([`HostCertificate ${other}`, `TrustedUserCAKeys ${ca}`], [hostKey()]);
    expect(isNothing(found)).to.equal(true);
    expect(found.others).to.deep.equal(['other.example']);
  });

  it('is known by keys of the cluster, or by what stands behind a key that it has rotated out', async () => {
    const [now, old] = [hostKey(), hostKey()];
    const line = `TrustedUserCAKeys ${write('ca', `# x\n${now}\n${old} clustername=c.example&type=user\n`)}`;
    expect(textsOf(await find([line], [now]))).to.deep.equal([line]);
    write('ca', `${now}\n${old} clustername=d.example&type=user\n`);
    const mixed = await find([line], [now]);
    expect(textsOf(mixed)).to.deep.equal([]);
    expect(mixed.authorities.map(({is}) => Buffer.from(is).toString())).to.deep.equal([
      `${old} clustername=d.example&type=user\n`,
    ]);
    const scoped = await find([line, 'Match User x', line], [now]);
    expect(isNothing(scoped), 'a Match block goes by all of the file').to.equal(true);
  });

  it('is never looked for in a named pipe', async () => {
    execFileSync('mkfifo', [box.at('pipe')]);
    const found = await find([`TrustedUserCAKeys ${box.at('pipe')}`]);
    expect(isNothing(found)).to.equal(true);
  });

  it('of Teleport is known by its fragment, with the id that lies beside it', async () => {
    certify('teleport/openssh/ssh_host_teleport_key', 'c.example', [
      'web1',
      '11111111-2222-4333-8444-555555555555',
    ]);
    const fragment = write('teleport/sshd.conf', ['# by Teleport', ...FRAGMENT(), ''].join('\n'));
    const include = `Include ${fragment}`;
    const byCertificate = await find([include]);
    expect(byCertificate.nodeId).to.equal('11111111-2222-4333-8444-555555555555');
    write('teleport/host_uuid', `${ID}\n`);
    const found = await find([include, `# ${include}`, include]);
    expect(found).to.deep.include({nodeId: ID, lines: []});
    expect(found.fragment).to.deep.include({path: fragment, dataDir: box.at('teleport')});
    expect(found.fragment?.includedBy.map(({line}) => line)).to.deep.equal([2, 4]);
    const {tree} = takeOut(await box.look(), found, ['/k']);
    expect(Buffer.from(tree.files.get(tree.main) ?? '').toString()).to.equal(
      `HostKey ${key}\n# Host keys that clients know\nHostKey /k\n# ${include}\n`,
    );
  });

  it('of Teleport is taken as lines by hand where others have put theirs beside', async () => {
    const ca = write('teleport/openssh/teleport_openssh_ca.pub', `${hostKey()} clustername=c.example\n`);
    const fragment = write('teleport/sshd.conf', ['Banner none', ...FRAGMENT(), ''].join('\n'));
    const found = await find([`Include ${fragment}`]);
    expect(found.fragment).to.equal(undefined);
    expect(textsOf(found)).to.have.members(FRAGMENT().filter((line) => !line.startsWith('HostKey')));
    expect(found.unused).to.include(ca);
    const facts = await box.look();
    const takeover = await planTakeover(box.host, facts, found);
    expect(takeover.facts.hostKeys.map(({file}) => file)).to.have.members(
      facts.hostKeys.map(({file}) => file),
    );
    expect(takeover.edits.map(({is}) => Buffer.from(is ?? '').toString())).to.deep.equal([
      `Banner none\nHostKey ${box.at('teleport/openssh/ssh_host_teleport_key')}\n`,
    ]);
    write('teleport/sshd.conf', [...FRAGMENT(), ''].join('\n'));
    const together = await find([`Include ${fragment} ${box.at('none')}`]);
    expect(together.fragment, 'an Include that names more stays').to.equal(undefined);
  });

  it('of Teleport for another cluster is refused', async () => {
    certify('teleport/openssh/ssh_host_teleport_key', 'other.example');
    const fragment = write('teleport/sshd.conf', [...FRAGMENT(), ''].join('\n'));
    const {code, message} = await failure(find([`Include ${fragment}`]));
    expect([code, message]).to.deep.equal([
      'HOST_UNSUITABLE',
      'Teleport has joined this host to other.example, not to c.example',
    ]);
  });

  it('is refused in a file that the main one does not include itself, where no rehearsal could stand for it', async () => {
    const line = `TrustedUserCAKeys ${write('ca', `${formatPublicKey(publicBlob(authority))} clustername=c.example\n`)}`;
    const inner = write('inner.conf', `${line}\n`);
    const found = await find([`Include ${write('outer.conf', `Include ${inner}\n`)}`]);
    expect(textsOf(found)).to.deep.equal([line]);
    const {code, message} = await failure(planTakeover(box.host, await box.look(), found));
    expect([code, message]).to.deep.equal([
      'HOST_UNSUITABLE',
      `${inner} is not included by ${box.config} itself`,
    ]);
  });

  it('leaves a file that holds nothing else empty in the tree, and none behind', async () => {
    const line = `TrustedUserCAKeys ${write('ca', `${formatPublicKey(publicBlob(authority))} clustername=c.example\n`)}`;
    const path = write('drop.conf', `\n${line}\n`);
    const found = await find([`Include ${path}`]);
    const {edits, tree} = takeOut(await box.look(), found, []);
    expect(edits.map(({is}) => is)).to.deep.equal([undefined]);
    expect(tree.files.has(path)).to.equal(false);
    writeFileSync(path, '');
  });
});
