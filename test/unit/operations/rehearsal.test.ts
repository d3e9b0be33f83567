import {mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Failure} from '../../../src/errors.js';
import {
  authorityKind,
  kindOfKey,
  rehearse,
  type Script,
  shortType,
} from '../../../src/operations/rehearsal.js';
import {setScene} from '../../../src/operations/scene.js';
import {failure, hostKey} from '../../support/cluster-client.js';
import {PrivateHost} from '../../support/private-host.js';
import {sshdIsAtLeast} from '../../support/sshd-version.js';
import {snapshot} from '../../support/tree.js';

const NAME = userInfo().username;
const STAGES = userInfo().uid === 0 ? '/run' : '/tmp';
const stagesOf = (pid: number) => readdirSync(STAGES).filter((name) => name.startsWith(`agentless-${pid}-`));

describe('a rehearsal on a real sshd', function () {
  this.slow(3000);
  let box: PrivateHost;
  let keys: readonly string[];
  before(() => {
    box = new PrivateHost();
    keys = [box.key('one'), box.key('two', 'ecdsa'), box.key('three', 'rsa')];
  });
  after(() => box[Symbol.dispose]());

  /** Rehearses a join under this configuration; afterwards nothing of it may be left, however it ended. */
  async function rehearsed(lines: readonly string[], changes: Partial<Script> = {}) {
    box.configure(keys, 'StrictModes no', ...lines);
    const facts = await box.look();
    const wanted = {
      hostname: 'web1',
      address: '10.0.0.5:22',
      labels: {},
      additionalPrincipals: ['Web1.Example'],
    };
    const scene = setScene(facts, {...wanted, nodeId: 'id-1', cluster: 'example.com'}, []);
    const before = await snapshot(box.root);
    try {
      return await rehearse(box.host, {...scene, logins: [], authority: 'ed25519', ...changes});
    } finally {
      expect(stagesOf(process.pid), 'nothing is left behind').to.deep.equal([]);
      expect(await snapshot(box.root), 'the host is as it was').to.deep.equal(before);
    }
  }
  const refused = (lines: readonly string[], changes: Partial<Script> = {}): Promise<Failure> =>
    failure(rehearsed(lines, changes));

  for (const authority of ['ed25519', 'p256', 'rsa2048'] as const) {
    it(`shows each type of key and each name, with an authority of ${authority}`, async () => {
      const {types, names, logins} = await rehearsed([], {authority, logins: [NAME]});
      expect(types).to.deep.equal(['ed25519', 'ecdsa', 'rsa']);
      expect(names).to.include.members([
        'web1',
        'web1.example.com',
        '10.0.0.5',
        'web1.example',
        'Web1.Example',
      ]);
      expect(logins).to.deep.equal([NAME]);
    });
  }

  it('talks to a server that has nothing but a post-quantum exchange', async function () {
    if (!sshdIsAtLeast(8, 5)) this.skip();
    const {types} = await rehearsed(['KexAlgorithms sntrup761x25519-sha512@openssh.com']);
    expect(types).to.have.length(3);
  });

  it('fails where no client could verify the host, in the words of both sides', async () => {
    const plain = 'HostKeyAlgorithms ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512';
    box.configure(keys, plain);
    const certificateBy = ['ssh-ed25519-cert-v01@openssh.com'];
    const hostKeys = (await box.look()).hostKeys.map((key) => ({...key, certificateBy}));
    const {code, message, detail, hint} = await refused([plain], {keys: hostKeys});
    expect(code).to.equal('REHEARSAL_FAILED');
    expect(message).to.match(/^no client could verify this host as \S+ by its (ed25519|ecdsa|rsa) key$/);
    expect(detail).to.match(/no matching host key type found/i);
    expect(hint).to.equal('seen in a rehearsal, nothing was changed');
  });

  it('fails where the new lines would have another effect than meant', async () => {
    const other = box.write('other-ca', `${hostKey()}\n`);
    box.configure(keys);
    const facts = await box.look();
    const options = ['-o', `TrustedUserCAKeys=${other}`, '-p', '2222'];
    const {code, message, detail} = await refused([], {
      facts: {...facts, daemon: {...facts.daemon, options}},
    });
    expect(code).to.equal('REHEARSAL_FAILED');
    expect(message).to.equal('sshd would not read the new lines as they are meant');
    expect(detail).to.contain(`TrustedUserCAKeys is ${other} instead of`);
    expect(detail).to.contain('port would change from "22" to "2222"');
  });

  it('leaves nothing behind when sshd does not even start', async () => {
    box.configure(keys);
    const facts = await box.look();
    const program = box.write('no-sshd', '#!/bin/sh\nexit 1\n', 0o755);
    await refused([], {facts: {...facts, daemon: {...facts.daemon, program}}}).catch(() => undefined);
    expect(stagesOf(process.pid)).to.deep.equal([]);
  });

  describe('of a login', () => {
    const login = (line: string, name = NAME) => refused([line], {logins: [name]});
    const cases: readonly (readonly [line: string, reason: RegExp])[] = [
      [`DenyUsers ${NAME}`, /not allowed because listed in DenyUsers/],
      ['AllowUsers somebody-else', /not allowed because not listed in AllowUsers/],
      ['AllowGroups no-such-group', /not allowed because .* AllowGroups/],
      ['AuthorizedPrincipalsFile /nonexistent/%u', /does not contain an authorized principal/],
      ['AuthenticationMethods publickey,password', /sshd says: Partial publickey for .*-CERT/],
      ['AuthenticationMethods password', /Permission denied \(.*password.*\)/],
      ['CASignatureAlgorithms rsa-sha2-512', /certificate signature algorithm (ssh-ed25519|not in)/],
    ];
    for (const [line, reason] of cases) {
      it(`says that "${line}" refuses it, and names the line`, async () => {
        const {code, message, detail, hint} = await login(line);
        expect({code, message}).to.deep.equal({
          code: 'REHEARSAL_FAILED',
          message: `${NAME} would be refused`,
        });
        expect(detail?.split('\n')[0]).to.match(/^sshd says: /);
        expect(detail).to.match(reason);
        expect(detail).to.include(`${box.config} line 5: ${line}`);
        expect(hint).to.contain('nothing was changed');
      });
    }

    it('says that root is not let in', async function () {
      if (userInfo().uid !== 0) this.skip();
      const {detail} = await login('PermitRootLogin no', 'root');
      expect(detail).to.match(/^sshd says: ROOT LOGIN REFUSED/);
      expect(detail).to.include('line 5: PermitRootLogin no');
    });

    it('says that revoked keys which cannot be read refuse everybody', async () => {
      const {detail} = await login('RevokedKeys /nonexistent/revoked');
      expect(detail).to.match(/revoked/i);
      expect(detail).to.include('line 5: RevokedKeys');
    });

    it('says so of a login that does not exist, and tries the others first', async () => {
      const {message, detail} = await refused([], {logins: [NAME, 'no-such-login-here']});
      expect(message).to.equal('no-such-login-here would be refused');
      expect(detail).to.match(/Invalid user no-such-login-here/i);
    });

    it('names the Match block in which the line at fault stands', async () => {
      const {detail} = await refused(['Match all', `  DenyUsers ${NAME}`], {logins: [NAME]});
      expect(detail).to.include(`line 6: DenyUsers ${NAME}`);
    });
  });

  it('takes away what a killed one has left, and nothing else', async () => {
    const gone = 4_194_303;
    const hex = 'abcdefabcdef';
    const space = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
    const [left, ...others] = [
      `agentless-${gone}-${space}-${hex}`,
      `agentless-1-${space}-${hex}`,
      `agentless-${gone}-${space}-x`,
      `agentless-${gone}-1-${hex}`,
    ] as const;
    for (const name of [left, ...others]) {
      mkdirSync(join(STAGES, name), {recursive: true, mode: 0o700});
      writeFileSync(join(STAGES, name, 'login'), 'secret');
    }
    try {
      await rehearsed([]);
      const now = readdirSync(STAGES);
      expect(now).to.not.include(left);
      expect(now, 'of the living, of others, of another container').to.include.members(others);
    } finally {
      for (const name of [left, ...others]) rmSync(join(STAGES, name), {recursive: true, force: true});
    }
  });
});

describe('kinds of authorities', () => {
  it('follow the suite of a cluster', () => {
    expect(
      ['legacy', 'balanced-v1', 'fips-v1', 'hsm-v1'].map((suite) => authorityKind(suite as 'legacy')),
    ).to.deep.equal(['rsa2048', 'ed25519', 'p256', 'p256']);
  });

  it('are told by a key', () => {
    for (const kind of ['ed25519', 'p256', 'rsa2048'] as const)
      expect(kindOfKey(hostKey(kind))).to.equal(kind);
  });

  it('have short names for people', () => {
    const types = [
      'ssh-ed25519',
      'ssh-rsa',
      'ecdsa-sha2-nistp256',
      'ecdsa-sha2-nistp384',
      'ecdsa-sha2-nistp521',
    ];
    expect(types.map(shortType)).to.deep.equal([
      'ed25519',
      'rsa',
      'ecdsa',
      'ecdsa-nistp384',
      'ecdsa-nistp521',
    ]);
  });
});
