import {existsSync, statSync} from 'node:fs';
import {expect} from 'chai';
import {findSshd} from '../../../src/demo/private-sshd.js';
import type {Daemon} from '../../../src/host/daemon.js';
import {effectiveConfig, refusal, sshdCommand, sshdVersion, testedConfig} from '../../../src/host/sshd.js';
import {failure} from '../../support/cluster-client.js';
import {PrivateHost} from '../../support/private-host.js';

const UNASKED = {sshd: undefined, version: ''};

describe('sshd as a tool', () => {
  let box: PrivateHost;
  before(() => {
    box = new PrivateHost();
  });
  after(() => box[Symbol.dispose]());

  /** An sshd that says this, as one of that age or make does. */
  const saying = (words: string, status = 1) =>
    box.write('program', `#!/bin/sh\ncat >&2 <<'END'\n${words}\nEND\nexit ${status}\n`, 0o755);

  const daemonOf = (program: string, options: readonly string[] = []): Daemon => ({
    state: 'stopped',
    process: undefined,
    socket: undefined,
    program,
    options,
    listening: [],
  });

  const versionOf = (program: string, asked: {sshd: string | undefined; version: string} = UNASKED) =>
    sshdVersion(box.host, program, asked);

  describe('tells its version', () => {
    const USAGE = 'usage: sshd [-46DdeiqTt] [-C connection_spec] …';
    const words = {
      'OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026': [9, 2],
      [`unknown option -- V\nOpenSSH_7.4p1, OpenSSL 1.0.2k-fips  26 Jan 2017\n${USAGE}`]: [7, 4],
      [`sshd: illegal option -- V\nOpenSSH_7.2p2 Ubuntu-4ubuntu2.10, OpenSSL 1.0.2g\n${USAGE}`]: [7, 2],
      'OpenSSH_10.0p2 Debian-7, OpenSSL 3.5.4 30 Sep 2025': [10, 0],
      'OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2': [9, 5],
    };
    for (const [text, version] of Object.entries(words)) {
      it(text.split('\n').at(-2) ?? text, async () => {
        expect(await versionOf(saying(text))).to.deep.equal(version);
      });
    }

    it('as the probe has heard it already, where it asked the same program', async () => {
      const asked = {sshd: '/nowhere/sshd', version: 'OpenSSH_9.9p1'};
      expect(await versionOf('/nowhere/sshd', asked)).to.deep.equal([9, 9]);
    });

    it('and the one here is one of them', async () => {
      const [major] = await versionOf(process.env['SSHD'] ?? findSshd());
      expect(major).to.be.within(7, 20);
    });

    it('else it is none of ours', async () => {
      const {code, detail, message} = await failure(versionOf(saying('Dropbear v2022.83\nmore')));
      expect(code).to.equal('HOST_UNSUITABLE');
      expect(message).to.match(/program does not say that it is OpenSSH$/);
      expect(detail).to.equal('Dropbear v2022.83');
      expect((await failure(versionOf(box.at('nothing')))).code).to.equal('HOST_UNSUITABLE');
    });
  });

  it("reads a configuration with the daemon's own options, which win over the file", async () => {
    const program = process.env['SSHD'] ?? findSshd();
    box.configure([box.key('key')], 'Port 22', 'MaxAuthTries 3');
    const daemon = daemonOf(program, ['-p', '2222', '-o', 'MaxAuthTries=4']);
    const effective = await effectiveConfig(box.host, daemon, box.config);
    expect(effective.one('port')).to.equal('2222');
    expect(effective.one('maxauthtries')).to.equal('4');
    expect(sshdCommand(daemon, '-t', '/x')).to.deep.equal([
      program,
      '-t',
      '-f',
      '/x',
      '-p',
      '2222',
      '-o',
      'MaxAuthTries=4',
    ]);
  });

  it('names the keys it cannot load, in the words of every release', async () => {
    const text = [
      'Could not load host key: /old',
      'Unable to load host key "/x": bad permissions\r',
      'Unable to load host key: /with a blank\r',
    ].join('\n');
    const {unloaded} = await testedConfig(box.host, daemonOf(saying(text, 0)), '/x');
    expect(unloaded).to.deep.equal(['/old', '/with a blank']);
  });

  it('is refused with its own words', () => {
    const {code, detail, hint} = refusal('/etc/x', '/etc/x line 3: Bad configuration option: Foo\r\n');
    expect(code).to.equal('SSHD_CONFIG_INVALID');
    expect(detail).to.equal('/etc/x line 3: Bad configuration option: Foo');
    expect(hint).to.contain('sshd -t -f /etc/x');
    expect(refusal('/x', 'sshd: no hostkeys available -- exiting.\r\n').message).to.equal(
      'sshd can load none of its host keys',
    );
  });

  describe('misses its privilege separation directory before the first start', () => {
    const script = (directory: string) => `#!/bin/sh
if [ ! -d '${directory}' ]; then
  printf 'Missing privilege separation directory: %s\\r\\n' '${directory}' >&2
  exit 255
fi
echo port 22
`;

    it('which is made, empty and for root only to write, and it is asked again', async () => {
      const directory = box.at('run-sshd');
      const daemon = daemonOf(box.write('program', script(directory), 0o755));
      expect((await effectiveConfig(box.host, daemon, '/x')).one('port')).to.equal('22');
      expect(statSync(directory).mode & 0o7777).to.equal(0o755);
      expect((await effectiveConfig(box.host, daemon, '/x')).one('port')).to.equal('22');
    });

    it('and nothing is made when it complains of anything else', async () => {
      const words = '/run/x must be owned by root and not group or world-writable.';
      const {code, detail} = await failure(effectiveConfig(box.host, daemonOf(saying(words, 255)), '/x'));
      expect({code, detail}).to.deep.equal({code: 'SSHD_CONFIG_INVALID', detail: words});
      expect(existsSync('/run/x')).to.equal(false);
    });

    it('in just these words', async function () {
      const program = process.env['SSHD'] ?? findSshd();
      box.configure([box.key('another')]);
      const hidden = 'mount -t tmpfs none /run && mkdir -p /run/empty && exec "$0" -t -f "$1"';
      const argv = ['unshare', '-m', 'sh', '-c', hidden, program, box.config];
      const {status, stderr} = await box.host.run(argv);
      if (status === 0 || /unshare|mount/.test(stderr)) this.skip();
      expect(stderr).to.match(/^Missing privilege separation directory: \S+\r?$/m);
    });
  });
});
