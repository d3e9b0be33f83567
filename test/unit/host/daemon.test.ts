import {expect} from 'chai';
import {configOf, findDaemon, readCommandLine} from '../../../src/host/daemon.js';
import type {Probe, Process} from '../../../src/host/probe.js';

const PROCESS: Process = {
  pid: 812,
  argv: ['/usr/sbin/sshd', '-D'],
  exe: '/usr/sbin/sshd',
  unit: 'ssh.service',
  cwd: '/',
  listening: ['0.0.0.0:22', '[0:0:0:0:0:0:0:0]:22'],
};

const PROBE: Probe = {
  uid: 0,
  gid: 0,
  hostname: 'web1',
  sshd: '/usr/sbin/sshd',
  version: 'OpenSSH_9.2p1',
  listeners: [PROCESS],
  sockets: [],
  systemd: true,
  unwritable: [],
  pamModules: undefined,
  tested: undefined,
};

const DEFAULT = '/etc/ssh/sshd_config';
const find = (probe: Probe, config: string) => findDaemon(probe, config, (path) => path === config);

describe('the command line of a daemon', () => {
  it('names its configuration, the last one where there are several', () => {
    expect(readCommandLine(['/usr/sbin/sshd', '-D']).config).to.equal(DEFAULT);
    expect(readCommandLine(['/usr/sbin/sshd', '-f', '/x']).config).to.equal('/x');
    expect(readCommandLine(['/usr/sbin/sshd', '-Df/x', '-f', '/y', '-D']).config).to.equal('/y');
  });

  it('keeps what decides the effect of the configuration, and nothing else', () => {
    const argv = '/usr/sbin/sshd -De4 -u0 -p 2222 -h /k -c /c -E /log -g 120 -oMACs=x -b 2 -k 1 -C a=b'.split(
      ' ',
    );
    expect(readCommandLine(argv).options).to.deep.equal('-4 -p 2222 -h /k -c /c -o MACs=x'.split(' '));
    expect(readCommandLine([...argv, '-q', '-6']).options.at(-1)).to.equal('-6');
  });
});

describe('the daemon of a configuration', () => {
  it('is the process that reads that file', () => {
    const other = {...PROCESS, pid: 9, argv: ['/usr/sbin/sshd', '-f', '/x'], unit: undefined};
    const probe = {...PROBE, listeners: [other, PROCESS]};
    expect(find(probe, DEFAULT)).to.deep.equal({
      state: 'running',
      process: PROCESS,
      socket: undefined,
      program: '/usr/sbin/sshd',
      options: [],
      listening: PROCESS.listening,
    });
    expect(find(probe, '/x')?.process?.pid).to.equal(9);
    expect(find(probe, '/y')).to.include({state: 'stopped', process: undefined});
  });

  it('is the process that reads that file by a relative name, or by another one', () => {
    const relative = {...PROCESS, argv: ['/usr/sbin/sshd', '-f', 'etc/x', '-o', 'Port=1'], cwd: '/srv'};
    const probe = {...PROBE, listeners: [relative]};
    expect(configOf(relative)).to.equal('/srv/etc/x');
    expect(find(probe, '/srv/etc/x')?.options).to.deep.equal(['-o', 'Port=1']);
    expect(findDaemon(probe, '/link', (path) => path === '/srv/etc/x')?.state).to.equal('running');
    const lost = {...PROBE, listeners: [{...relative, cwd: undefined}]};
    expect(find(lost, '/srv/etc/x')?.state).to.equal('stopped');
  });

  it('is known by the program it runs, else by the name it was started with, else by PATH', () => {
    const opt = {...PROCESS, argv: ['/opt/sbin/sshd'], exe: '/opt/ssh-9/sbin/sshd'};
    expect(find({...PROBE, listeners: [opt]}, DEFAULT)?.program).to.equal('/opt/ssh-9/sbin/sshd');
    const hidden = {...PROBE, listeners: [{...opt, exe: undefined}]};
    expect(find(hidden, DEFAULT)?.program).to.equal('/opt/sbin/sshd');
    expect(find({...PROBE, listeners: []}, DEFAULT)?.program).to.equal('/usr/sbin/sshd');
    expect(find({...PROBE, listeners: [], sshd: undefined}, DEFAULT)).to.equal(undefined);
  });

  describe('under a socket unit', () => {
    const sockets = [{unit: 'ssh.socket', listening: ['[::]:2222']}];

    it('need not run', () => {
      expect(find({...PROBE, listeners: [], sockets}, DEFAULT)).to.deep.equal({
        state: 'socket',
        process: undefined,
        socket: 'ssh.socket',
        program: '/usr/sbin/sshd',
        options: [],
        listening: ['[::]:2222'],
      });
    });

    it('runs after the first connection, and may listen only through the unit', () => {
      const quiet = {...PROCESS, listening: []};
      const found = find({...PROBE, listeners: [quiet], sockets}, DEFAULT);
      expect(found).to.include({state: 'running', socket: 'ssh.socket'});
      expect(found?.listening).to.deep.equal(['[::]:2222']);
    });

    it("is not the daemon of somebody's private configuration", () => {
      const found = find({...PROBE, listeners: [], sockets}, '/home/me/sshd_config');
      expect(found).to.include({state: 'stopped', socket: undefined});
      expect(found?.listening).to.deep.equal([]);
    });
  });
});
