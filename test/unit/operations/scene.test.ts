import {expect} from 'chai';
import type {HostFacts} from '../../../src/host/facts.js';
import {prepareScene, type Scene, setScene, type Wanted} from '../../../src/operations/scene.js';
import {judge, linesBehind} from '../../../src/operations/verdict.js';
import {FOREVER, signCertificate} from '../../../src/ssh/certificate.js';
import {generateKey} from '../../../src/ssh/key.js';
import {failure, hostKey} from '../../support/cluster-client.js';
import {PrivateHost} from '../../support/private-host.js';

const WANTED: Wanted = {
  hostname: 'Web1',
  address: '10.0.0.5:22',
  labels: {},
  additionalPrincipals: ['db1'],
  nodeId: 'id-1',
  cluster: 'example.com',
};

describe('the scene of a join', () => {
  let box: PrivateHost;
  let keys: readonly string[];
  before(() => {
    box = new PrivateHost();
    keys = [box.key('one'), box.key('two', 'ecdsa')];
  });
  after(() => box[Symbol.dispose]());

  async function look(...lines: readonly string[]): Promise<HostFacts> {
    box.configure(keys, ...lines);
    return box.look();
  }

  async function prepared(facts: HostFacts, wanted: Partial<Wanted> = {}): Promise<Scene & {said: string[]}> {
    const said: string[] = [];
    const report = {heading: () => {}, step: () => {}, warn: (text: string) => said.push(text)};
    const all = {...WANTED, ...wanted};
    return {...(await prepareScene(box.host, facts, all, report, all)), said};
  }

  it('knows every name that is dialled, and which of them have to be asked for', async () => {
    const {names, additionalPrincipals, said} = await prepared(await look());
    expect(names).to.deep.equal([
      'Web1',
      'web1',
      'Web1.example.com',
      'web1.example.com',
      '10.0.0.5',
      'id-1',
      'id-1.example.com',
      'db1',
    ]);
    expect(additionalPrincipals).to.deep.equal(['web1', 'web1.example.com', '10.0.0.5', 'db1']);
    expect(said.join('\n')).to.match(/^Web1 has capitals/);
  });

  it('asks for the address that the cluster sees where none was given', async () => {
    const {additionalPrincipals, names} = await prepared(await look(), {address: undefined});
    expect(additionalPrincipals).to.include('0.0.0.0');
    expect(names).to.not.include('0.0.0.0');
  });

  it('passes warnings on: of names, of addresses, of keys', async () => {
    const facts = await look('HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256');
    const wanted = {address: '127.0.0.1:22', additionalPrincipals: ['*.x']};
    const {keys: certified, said} = await prepared({...facts, warnings: ['a key is missing']}, wanted);
    expect(certified.map(({file}) => file)).to.deep.equal(keys.slice(0, 1));
    expect(said[0]).to.equal('a key is missing');
    expect(said.join('\n')).to.contain('"*.x" is a pattern');
    expect(said.join('\n')).to.contain(`${keys[1]} gets no certificate`);
    expect(said.join('\n')).to.contain('127.0.0.1:22 is a loopback address');
  });

  it('keeps all keys where none could be certified, for the rehearsal to say why', async () => {
    const facts = await look('HostKeyAlgorithms ssh-ed25519,ecdsa-sha2-nistp256');
    expect((await prepared(facts)).keys).to.have.length(2);
  });

  it('tells whether our lines stand as they were written for these certificates, whatever else is there', async () => {
    const bare = await look();
    for (const include of [true, false]) {
      const facts = {...bare, dialect: {...bare.dialect, include}};
      const {placement, standsFor, layout} = await prepared(facts);
      const certificates = [...layout.certificates.values()];
      expect(standsFor(certificates), 'nothing was written yet').to.equal(false);
      const main = Buffer.concat([placement.bytes, Buffer.from('# a site\n')]);
      const fragment = placement.kind === 'block' ? placement.fragment : undefined;
      const fragments = fragment ? [[fragment.path, fragment.bytes] as const] : [];
      const written = (text: Uint8Array) => {
        const tree = {...facts.tree, files: new Map([[facts.config, text], ...fragments])};
        return prepared({...facts, tree});
      };
      const now = await written(main);
      expect(now.standsFor(certificates)).to.equal(true);
      expect(now.standsFor(certificates.slice(1))).to.equal(false);
      const edited = Buffer.from(
        Buffer.from(main)
          .toString('latin1')
          .replace(/^(Include|HostC).*\n/m, ''),
      );
      expect((await written(edited)).standsFor(certificates), 'a line is missing').to.equal(false);
    }
  });

  describe('with a certificate of another authority', () => {
    const certificate = (facts: HostFacts, index: number) => {
      const key = facts.hostKeys[index]?.blob ?? new Uint8Array();
      const fields = {type: 'host', key, principals: ['web1'], validAfter: 0n, validBefore: FOREVER} as const;
      return signCertificate(fields, generateKey('ed25519'));
    };

    it('leaves that key alone, and says so', async () => {
      const site = box.write('site-cert.pub', `${certificate(await look(), 0)}\n`);
      const scene = await prepared(await look(`HostCertificate ${site}`));
      expect(scene.keys.map(({file}) => file)).to.deep.equal([keys[1]]);
      expect(scene.foreign).to.deep.equal([site]);
      expect(scene.said.join('\n')).to.contain(`${keys[0]} keeps the certificate in ${site}`);
    });

    it('is refused where no key is left', async () => {
      const facts = await look();
      const foreign = [0, 1].map((index) => ({file: `/c${index}`, text: certificate(facts, index)}));
      const refused = await failure((async () => setScene(facts, WANTED, foreign))());
      expect(refused.code).to.equal('HOST_UNSUITABLE');
      expect(refused.detail).to.equal('HostCertificate /c0\nHostCertificate /c1');
    });

    it('does not mind one that sshd does not serve either', async () => {
      const rubbish = box.write('rubbish', 'not a certificate\n');
      const facts = await look(`HostCertificate ${rubbish}`, `HostCertificate ${box.at('gone')}`);
      expect((await prepared(facts)).keys).to.have.length(2);
    });
  });

  describe('with an authority of the site', () => {
    it('knows the first file that is named', async () => {
      expect((await prepared(await look())).existingAuthorities).to.equal(undefined);
      expect((await prepared(await look('TrustedUserCAKeys none'))).existingAuthorities).to.equal(undefined);
      const set = await look('TrustedUserCAKeys /etc/ssh/ca.pub', 'TrustedUserCAKeys /other');
      expect((await prepared(set)).existingAuthorities).to.equal('/etc/ssh/ca.pub');
    });

    it("is refused where sshd's command line names it, which wins over any file", async () => {
      const facts = await look();
      for (const option of ['TrustedUserCAKeys=/ca', 'trustedusercakeys /ca']) {
        const daemon = {...facts.daemon, options: ['-o', option]};
        const {code, detail} = await failure(prepared({...facts, daemon}));
        expect(code).to.equal('HOST_UNSUITABLE');
        expect(detail).to.equal(`${daemon.program} -o ${option}`);
      }
    });
  });

  describe('as it is judged', () => {
    it('is fine, or fatal with the line at fault, or a warning', async () => {
      expect(judge(await prepared(await look()), {kind: 'ed25519'})).to.deep.equal([]);
      const off = await prepared(await look('PubkeyAuthentication no'));
      const {code, detail, hint} = await failure((async () => judge(off, {line: hostKey()}))());
      expect(code).to.equal('REHEARSAL_FAILED');
      expect(detail).to.equal(`${box.config} line 3: PubkeyAuthentication no`);
      expect(hint).to.match(/nothing was changed$/);
      const some = await prepared(await look('Match User deploy', '  PubkeyAuthentication no'));
      expect(judge(some, {kind: 'p256'}).join()).to.contain(`${box.config} line 4`);
    });

    it('depends on the type of the authority that signs', async () => {
      const scene = await prepared(await look('CASignatureAlgorithms rsa-sha2-512'));
      expect(judge(scene, {kind: 'rsa2048'})).to.deep.equal([]);
      expect(judge(scene, {line: hostKey('rsa2048')})).to.deep.equal([]);
      expect((await failure((async () => judge(scene, {kind: 'ed25519'}))())).code).to.equal(
        'REHEARSAL_FAILED',
      );
      expect((await failure((async () => judge(scene, {line: hostKey('p256')}))())).detail).to.contain(
        'line 3',
      );
    });

    it('tells the lines that a reason of sshd speaks of', async () => {
      const facts = await look(
        'AllowUsers a',
        'PermitRootLogin no',
        'RevokedKeys none',
        'Match User a',
        'AllowUsers b',
      );
      const lines = (reason: string) =>
        linesBehind(facts, reason).map((line) => line.replace(box.config, 'F'));
      expect(lines('User a from x not allowed because not listed in AllowUsers')).to.deep.equal([
        'F line 3: AllowUsers a',
        'F line 7: AllowUsers b (Match User a)',
      ]);
      expect(lines('ROOT LOGIN REFUSED FROM x')).to.deep.equal(['F line 4: PermitRootLogin no']);
      expect(lines('Authentication key X revoked by file /y')).to.deep.equal(['F line 5: RevokedKeys none']);
      expect(lines('Invalid user a')).to.deep.equal([]);
    });
  });
});
