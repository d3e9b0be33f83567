import {spawnSync} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {expect} from 'chai';
import {render} from '../../../src/templates.js';
import {Namespace} from '../../support/namespace.js';
import {FLAVOURS, installed} from '../../support/pam-scene.js';
import {skip} from '../../support/skip.js';

const flavours = FLAVOURS.filter(({shell: [shell = ''], tools}) => installed(shell) && installed(tools));

describe('ready-made hooks that change the host', () => {
  let namespace: Namespace;
  before(async function () {
    namespace = (await Namespace.start()) ?? skip(this, 'a mount namespace cannot be had here');
    mkdirSync(namespace.path('/etc/agentless/hooks'), {recursive: true});
    for (const name of ['groups-from-roles', 'home-directory']) {
      const text = render(`exec/hooks/${name}`, {directory: '/etc/agentless'});
      writeFileSync(namespace.path(`/etc/agentless/hooks/${name}`), text, {mode: 0o755});
    }
    for (const group of ['t-dba', 't-ops', 't-own']) namespace.run('groupadd', group);
    for (const user of ['t-alice', 't-bob']) namespace.run('useradd', '-M', '-d', `/run/homes/${user}`, user);
    namespace.run('usermod', '-aG', 't-own', 't-alice');
  });
  after(() => namespace?.stop());

  const SESSION = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    PAM_TYPE: 'open_session',
    TELEPORT_USERNAME: 'alice@example.com',
    TELEPORT_LOGIN: 't-alice',
  };

  function run(
    hook: string,
    environment: Readonly<Record<string, string>> = {},
    ...shell: readonly string[]
  ) {
    const variables = Object.entries({...SESSION, ...environment}).map(([name, value]) => `${name}=${value}`);
    const [program = '', ...words] = namespace.prefix;
    const argv = [...words, 'env', '-i', ...variables, ...shell, `/etc/agentless/hooks/${hook}`];
    const {status, stdout, stderr} = spawnSync(program, argv, {encoding: 'utf8'});
    return {status, output: stdout + stderr};
  }

  describe('groups-from-roles', () => {
    const MAP = '/etc/agentless/groups-from-roles';
    const groups = (user = 't-alice') => namespace.run('id', '-Gn', user).trim().split(' ').slice(1).sort();
    const map = (text: string) => {
      const path = namespace.path(MAP);
      writeFileSync(path, text, {mode: 0o644});
      return path;
    };
    const hook = (
      roles: string,
      environment: Readonly<Record<string, string>> = {},
      ...shell: readonly string[]
    ) => run('groups-from-roles', {TELEPORT_ROLES: roles, ...environment}, ...shell);

    afterEach(() => {
      for (const group of groups().filter((name) => name !== 't-own'))
        namespace.run('gpasswd', '-d', 't-alice', group);
    });

    const TEXT = '# role groups\n\ndba t-dba t-ops\n  on-call\tt-ops   \n*  t-own\nlast t-dba';

    for (const {shell} of flavours) {
      it(`gives the groups of the roles, and takes back those of lost roles, in ${shell.join(' ')}`, () => {
        map(TEXT.replace('*  t-own', ''));
        expect(hook('access dba', {}, ...shell)).to.deep.equal({
          status: 0,
          output: 't-alice: add t-dba\nt-alice: add t-ops\n',
        });
        expect(groups()).to.deep.equal(['t-dba', 't-ops', 't-own']);
        expect(hook('dba access', {}, ...shell)).to.deep.equal({status: 0, output: ''});
        expect(hook('on-call', {}, ...shell)).to.deep.equal({status: 0, output: 't-alice: remove t-dba\n'});
        expect(hook('last', {}, ...shell).status).to.equal(0);
        expect(groups()).to.deep.equal(['t-dba', 't-own']);
        expect(hook('', {}, ...shell).status).to.equal(0);
        expect(groups()).to.deep.equal(['t-own']);
      });
    }

    it('gives nothing for roles that only look like one', () => {
      map('dba t-dba\n1 t-ops\n');
      expect(hook('DBA db a * dba.* 01 1.0 #').output).to.equal('');
      expect(groups()).to.deep.equal(['t-own']);
    });

    it('says which group there is not, and does the rest', () => {
      map('dba t-none -G t-dba,root t-dba\n');
      const {status, output} = hook('dba');
      expect(status).to.equal(1);
      expect(output).to.equal(
        'there is no group t-none\nthere is no group -G\nthere is no group t-dba,root\nt-alice: add t-dba\n',
      );
    });

    it('does nothing in other phases, without a Teleport user, without a map, or for uid 0', () => {
      map('dba t-dba\n');
      const quiet = {status: 0, output: ''};
      expect(hook('dba', {PAM_TYPE: 'account'})).to.deep.equal(quiet);
      expect(hook('dba', {PAM_TYPE: 'close_session'})).to.deep.equal(quiet);
      expect(hook('dba', {TELEPORT_USERNAME: ''})).to.deep.equal(quiet);
      expect(hook('dba', {TELEPORT_LOGIN: 'root'})).to.deep.equal(quiet);
      rmSync(namespace.path(MAP));
      expect(hook('dba')).to.deep.equal(quiet);
      expect(groups()).to.deep.equal(['t-own']);
    });

    it('believes no map that others can write, and touches no login with an odd name', () => {
      chmodSync(map('dba t-dba\n'), 0o666);
      expect(hook('dba').status).to.equal(1);
      chmodSync(namespace.path(MAP), 0o644);
      for (const TELEPORT_LOGIN of ['-a', 't-alice,t-bob', 't-alice\n', 'CORP\\alice', '*']) {
        expect(hook('dba', {TELEPORT_LOGIN}).status, TELEPORT_LOGIN).to.equal(1);
      }
      expect([groups(), groups('t-bob')]).to.deep.equal([['t-own'], []]);
    });

    it('uses addgroup and delgroup where there is no gpasswd', () => {
      map('dba t-dba\nother t-own\n');
      const bin = '/run/bin';
      mkdirSync(namespace.path(bin));
      for (const name of ['awk', 'id', 'find']) {
        symlinkSync(namespace.run('sh', '-c', `command -v ${name}`).trim(), namespace.path(`${bin}/${name}`));
      }
      for (const name of ['addgroup', 'delgroup']) {
        writeFileSync(namespace.path(`${bin}/${name}`), `#!/bin/sh\necho ${name} "$@" >>/run/calls\n`, {
          mode: 0o755,
        });
      }
      expect(hook('dba', {PATH: bin}, '/bin/sh').status).to.equal(0);
      expect(readFileSync(namespace.path('/run/calls'), 'utf8')).to.equal(
        'addgroup t-alice t-dba\ndelgroup t-alice t-own\n',
      );
    });
  });

  describe('home-directory', () => {
    const homes = () => namespace.path('/run/homes');
    const uid = (user: string) => Number(namespace.run('id', '-u', user));
    const home = (environment: Readonly<Record<string, string>> = {}, ...shell: readonly string[]) =>
      run('home-directory', environment, ...shell);

    beforeEach(() => {
      rmSync(homes(), {recursive: true, force: true});
      mkdirSync(homes(), {mode: 0o755});
      writeFileSync(namespace.path('/etc/skel/.profile'), 'profile\n', {mode: 0o644});
      mkdirSync(namespace.path('/etc/skel/bin dir'), {recursive: true});
      rmSync(namespace.path('/etc/skel/link'), {force: true});
      symlinkSync('/etc/shadow', namespace.path('/etc/skel/link'));
    });

    for (const {shell} of flavours) {
      it(`is made once, with the files of /etc/skel, all the user’s, in ${shell.join(' ')}`, () => {
        expect(home({}, ...shell)).to.deep.equal({
          status: 0,
          output: 'made /run/homes/t-alice for t-alice\n',
        });
        const id = uid('t-alice');
        const listed = namespace
          .run('find', '/run/homes', '-mindepth', '1', '-printf', '%P %m %U %y\\n')
          .split('\n')
          .sort();
        expect(listed).to.include.members([
          `t-alice 700 ${id} d`,
          `t-alice/.profile 644 ${id} f`,
          `t-alice/link 777 ${id} l`,
        ]);
        expect(listed.filter((line) => line !== '' && !line.includes(` ${id} `))).to.deep.equal([]);
        // What the link points at is nobody's but root's.
        expect(namespace.run('stat', '-c', '%u', '/etc/shadow').trim()).to.equal('0');
        expect(home({}, ...shell)).to.deep.equal({status: 0, output: ''});
      });
    }

    it('has the mode of HOME_MODE', () => {
      const file = namespace.path('/etc/login.defs');
      const before = readFileSync(file, 'utf8');
      writeFileSync(file, `${before}\n#HOME_MODE 0777\nHOME_MODE\t0750\n`);
      expect(home().status).to.equal(0);
      writeFileSync(file, before);
      expect(namespace.run('stat', '-c', '%a', '/run/homes/t-alice').trim()).to.equal('750');
    });

    it('is not made in another phase, for root, or for a login that is not there', () => {
      expect(home({PAM_TYPE: 'account'})).to.deep.equal({status: 0, output: ''});
      for (const TELEPORT_LOGIN of ['root', 'not-there', '', '0', `${uid('t-alice')}`, 't-.*', '-i']) {
        expect(home({TELEPORT_LOGIN}), TELEPORT_LOGIN).to.deep.equal({status: 0, output: ''});
      }
      expect(readdirSync(homes())).to.deep.equal([]);
    });

    it('is not made where others can change the way to it', () => {
      const refused = () => {
        const {status, output} = home();
        expect([status, output.replace(/:.*/s, '')]).to.deep.equal([1, 'the home of t-alice is not made']);
      };
      chmodSync(homes(), 0o1777);
      refused();
      chmodSync(homes(), 0o755);
      chownSync(homes(), 65534, 0);
      refused();
      rmSync(homes(), {recursive: true});
      refused();
      mkdirSync(namespace.path('/run/elsewhere'));
      symlinkSync('elsewhere', homes());
      refused();
      expect(existsSync(namespace.path('/run/elsewhere/t-alice'))).to.equal(false);
    });

    it('is not made in place of a link', () => {
      symlinkSync('/nowhere', `${homes()}/t-alice`);
      expect(home()).to.deep.equal({status: 0, output: ''});
    });

    it('is not made where the account’s home is no plain path', () => {
      for (const path of ['/run/homes/../x', '/run//x', '/run/./x']) {
        namespace.run('usermod', '-d', path, 't-bob');
        const {status, output} = home({TELEPORT_LOGIN: 't-bob'});
        expect([status, output], path).to.deep.equal([
          1,
          'the home of t-bob is no plain path, so it is not made\n',
        ]);
      }
    });
  });
});
