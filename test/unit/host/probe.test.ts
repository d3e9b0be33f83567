import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, realpathSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {startPrivateSshd} from '../../../src/demo/private-sshd.js';
import {LocalHost} from '../../../src/host/local.js';
import {listenerArgv, probe, readProbe} from '../../../src/host/probe.js';

/** What `tr '\000' '\n' <cmdline` gives: one word a line, with what setproctitle has left behind it. */
const argvOf = (cmdline: string) => cmdline.split('\0').filter((word) => word !== '');

describe('the words of a listening sshd', () => {
  // As OpenSSH of that release shows itself in /proc/PID/cmdline.
  const listeners = {
    '7.2, Ubuntu 16.04': ['/usr/sbin/sshd\0-D\0', '/usr/sbin/sshd -D'],
    '7.4, RHEL 7': ['/usr/sbin/sshd\0-D\0-u0\0', '/usr/sbin/sshd -D -u0'],
    '7.9, in the background': ['/opt/ssh/sbin/sshd\0-f\0/srv/x\0', '/opt/ssh/sbin/sshd -f /srv/x'],
    '8.0, RHEL 8': [
      '/usr/sbin/sshd\0-D\0-oCiphers=aes256-gcm@openssh.com\0-oMACs=hmac-sha2-256\0-oGSSAPIKexAlgorithms=gss-group14-sha256-\0-oKexAlgorithms=curve25519-sha256\0',
      '/usr/sbin/sshd -D -oCiphers=aes256-gcm@openssh.com -oMACs=hmac-sha2-256 -oGSSAPIKexAlgorithms=gss-group14-sha256- -oKexAlgorithms=curve25519-sha256',
    ],
    '7.9, a value that begins with a letter of a test': [
      '/usr/sbin/sshd\0-D\0-oTCPKeepAlive=no\0-o\0iOption\0',
      '/usr/sbin/sshd -D -oTCPKeepAlive=no -o iOption',
    ],
    '8.4, Debian 11': ['sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\0\0\0', '/usr/sbin/sshd -D'],
    '9.2, Debian 12': [
      'sshd: /usr/sbin/sshd -D -f /x [listener] 1 of 10-100 startups\0',
      '/usr/sbin/sshd -D -f /x',
    ],
    '9.2, while it takes a connection': [
      'sshd: /usr/sbin/sshd -D [listener] 3 of 10-100 startups\0',
      '/usr/sbin/sshd -D',
    ],
    '10.0, Debian 13': ['sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\0', '/usr/sbin/sshd -D'],
    '8.7, before it has set its title': ['/usr/sbin/sshd\0-D\0', '/usr/sbin/sshd -D'],
  } as const;
  for (const [name, [cmdline, words]] of Object.entries(listeners)) {
    it(name, () => {
      expect(listenerArgv(argvOf(cmdline))?.join(' ')).to.equal(words);
    });
  }

  it('are told apart by options where a title has lost them', () => {
    const title =
      'sshd: /usr/sbin/sshd -o AllowUsers root deploy -f /my etc/x [listener] 0 of 10-100 startups';
    expect(listenerArgv([title])).to.deep.equal([
      '/usr/sbin/sshd',
      '-o',
      'AllowUsers root deploy',
      '-f',
      '/my etc/x',
    ]);
  });

  const others = {
    'a session, before 9.8': 'sshd: root@pts/0\0',
    'a session without a terminal': 'sshd: deploy@notty\0',
    'the monitor of a session': 'sshd: root [priv]\0',
    'a connection before login': 'sshd: [accepted]\0',
    'the unprivileged half of a connection': 'sshd: root [net]\0',
    'an unknown user': 'sshd: unknown [priv]\0',
    'a session of 9.8 and later': 'sshd-session: root@pts/0\0',
    'the monitor of 9.8 and later': 'sshd-session: root [priv]\0',
    'authentication in 10.0 and later': 'sshd-auth: root [net]\0',
    'a session of 9.8 before it has set its title': '/usr/lib/openssh/sshd-session\0-D\0-R\0',
    'a connection before it has set its title': '/usr/sbin/sshd\0-D\0-R\0',
    'one connection of inetd or a socket unit': '/usr/sbin/sshd\0-i\0',
    'the same in one word with others': '/usr/sbin/sshd\0-4ei\0-f\0/x\0',
    'a rehearsal': '/usr/sbin/sshd\0-i\0-f\0/run/agentless-1/sshd_config\0-E\0/run/log\0',
    'sshd -t': '/usr/sbin/sshd\0-t\0',
    'sshd -T': '/usr/sbin/sshd\0-T\0-f\0/x\0',
    'sshd -G': '/usr/sbin/sshd\0-G\0',
    'sshd -V': '/usr/sbin/sshd\0-V\0',
    'a login named like a daemon': 'sshd: sshd@pts/0\0',
    'something that only sounds like it': '/usr/bin/sshd-doctor\0-D\0',
    'a kernel thread or a zombie': '',
  };
  for (const [name, cmdline] of Object.entries(others)) {
    it(`are not those of ${name}`, () => {
      expect(listenerArgv(argvOf(cmdline))).to.equal(undefined);
    });
  }
});

const MARK = '@@mark';

function answer(...sections: readonly (readonly [name: string, body?: string])[]): string {
  return sections.map(([name, body = '']) => `\n${MARK} ${name}\n${body}`).join('');
}

describe('the answer of a probe', () => {
  const TCP = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0',
    '   1: 0100007F:1770 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0',
    '   2: 0100007F:0016 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0',
    '   3: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4713',
    '   4: B80D0120000000000000000001000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4714',
  ].join('\n');
  const FD = [
    'total 0',
    'lrwx------ 1 root root 64 Jan  1 00:00 0 -> /dev/null',
    'lrwx------ 1 root root 64 Jan  1 00:00 3 -> socket:[4711]',
    'lrwx------ 1 root root 64 Jan  1 00:00 4 -> socket:[4713]',
    'lrwx------ 1 root root 64 Jan  1 00:00 5 -> socket:[4714]',
  ].join('\n');

  const links = (pid: number, exe: string, cwd: string) =>
    `${Object.entries({exe, cwd})
      .map(([name, to]) => `lrwxrwxrwx 1 root root 0 Jan  1 00:00 /proc/${pid}/${name} -> ${to}\n`)
      .join('')}\n/proc/${pid}/fd:\n${FD}\n`;

  it('is read section by section', () => {
    const read = readProbe(
      answer(
        ['uid', '0\n'],
        ['gid', '0\n'],
        ['hostname', 'web1\n'],
        ['sshd', '/usr/sbin/sshd\n'],
        ['version', 'OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19\n'],
        ['unwritable', '/etc\n/etc\n/var/lib\n'],
        ['pam', '/lib/x86_64-linux-gnu/security\n'],
        ['tested', 'port 22\n'],
        ['status', '0\n'],
        ['complaints', 'Unable to load host key: /x\n'],
        ['systemd', 'yes\n'],
        [
          'sockets',
          'ssh.socket\nListen=0.0.0.0:22 (Stream)\nListen=[::]:22 (Stream)\nListen=/run/x (SequentialPacket)\n',
        ],
        ['argv 812', 'sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\n\n'],
        ['links', links(812, '/usr/sbin/sshd (deleted)', '/')],
        ['unit', 'ssh.service\n'],
        ['tcp', TCP],
        ['argv 900', 'sshd: root [priv]\n'],
        ['links', links(900, '/usr/sbin/sshd', '/')],
        ['unit', ''],
        ['tcp', TCP],
        ['end'],
      ),
      MARK,
    );
    expect(read).to.deep.equal({
      uid: 0,
      gid: 0,
      hostname: 'web1',
      sshd: '/usr/sbin/sshd',
      version: 'OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19',
      systemd: true,
      unwritable: ['/etc', '/var/lib'],
      pamModules: '/lib/x86_64-linux-gnu/security',
      tested: {status: 0, stdout: 'port 22', stderr: 'Unable to load host key: /x'},
      sockets: [{unit: 'ssh.socket', listening: ['0.0.0.0:22', '[::]:22']}],
      listeners: [
        {
          pid: 812,
          argv: ['/usr/sbin/sshd', '-D'],
          exe: '/usr/sbin/sshd',
          cwd: '/',
          unit: 'ssh.service',
          listening: ['0.0.0.0:22', '[0:0:0:0:0:0:0:0]:22', '[2001:db8:0:0:0:0:0:1]:22'],
        },
      ],
    });
  });

  it('may lack everything: another system, a hidden /proc', () => {
    const nothing = {
      gid: -1,
      hostname: '',
      unwritable: [],
      sshd: undefined,
      version: '',
      pamModules: undefined,
      tested: undefined,
      systemd: false,
      sockets: [],
      listeners: [],
    };
    expect(readProbe('', MARK)).to.deep.equal({uid: -1, ...nothing});
    expect(readProbe(answer(['uid', '1000\n'], ['systemd'], ['end']), MARK)).to.deep.equal({
      uid: 1000,
      ...nothing,
    });
  });

  it('does not take the facts of another process for those that one hides', () => {
    const read = readProbe(
      answer(
        ['argv 10', '/usr/sbin/sshd\n-D\n'],
        ['links'],
        ['unit'],
        ['tcp'],
        ['argv 20', '/usr/sbin/sshd\n-f\n/x\n'],
        ['links', links(20, '/usr/sbin/sshd', '/srv')],
        ['unit', 'ssh.service\n'],
        ['tcp', TCP],
      ),
      MARK,
    );
    const [hidden, other] = read.listeners;
    expect(hidden).to.deep.equal({
      pid: 10,
      argv: ['/usr/sbin/sshd', '-D'],
      exe: undefined,
      cwd: undefined,
      unit: undefined,
      listening: [],
    });
    expect(other).to.include({pid: 20, exe: '/usr/sbin/sshd', cwd: '/srv', unit: 'ssh.service'});
  });

  it('keeps apart several socket units', () => {
    const text =
      'ssh.socket\nListen=[::]:22 (Stream)\nsshd.socket\nListen=127.0.0.1:2222 (Stream)\nListen=/run/ssh.sock (Stream)\nListen=vsock::22 (Stream)\n';
    expect(readProbe(answer(['sockets', text]), MARK).sockets).to.deep.equal([
      {unit: 'ssh.socket', listening: ['[::]:22']},
      {unit: 'sshd.socket', listening: ['127.0.0.1:2222']},
    ]);
  });
});

describe('the probe on this machine', () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'agentless-probe-'));
  });
  after(() => rmSync(root, {recursive: true}));

  it('finds a listening sshd with its program, its words and its address, and no child of it', async function () {
    if (!existsSync('/proc/self/cmdline')) this.skip();
    const sshd = await startPrivateSshd({
      directory: join(root, 'etc'),
      program: process.env['SSHD'],
      keyTypes: ['ed25519'],
    });
    const child = spawn('ssh-keyscan', ['-t', 'ed25519', '-p', String(sshd.port), '127.0.0.1']);
    try {
      const host = new LocalHost();
      const found = await probe(host);
      const ours = found.listeners.filter(({argv}) => argv.includes(sshd.config));
      expect(ours).to.have.length(1);
      expect(ours[0]?.argv).to.deep.equal([ours[0]?.argv[0], '-D', '-f', sshd.config, '-E', sshd.log]);
      expect(ours[0]?.listening).to.deep.equal([`127.0.0.1:${sshd.port}`]);
      expect(ours[0]?.exe).to.equal(realpathSync(process.env['SSHD'] ?? found.sshd ?? ''));
      expect(found.uid).to.equal(process.getuid?.());
      expect(found.gid).to.equal(process.getgid?.());
      expect(found.hostname).to.equal(host.name);
    } finally {
      if (child.exitCode === null) await once(child, 'exit');
      await sshd.stop();
    }
  });
});
