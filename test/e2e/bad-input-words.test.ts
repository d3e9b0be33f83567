// Addresses, labels and names that a cluster would store and fail on later, or store as something else.

import {execFileSync} from 'node:child_process';
import {expect} from 'chai';
import {refused} from '../support/refusal.js';
import {skip} from '../support/skip.js';
import {envelope, Stage} from '../support/stage.js';

const USAGE = {exit: 2, code: 'USAGE'};

describe('join openssh with words that cannot be meant', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.quick({sshd: {keyTypes: ['ed25519']}});
  });
  after(() => stage.stop());

  const withFlag = (name: string, value: string) => ({flags: {[name]: value}});

  describe('refuses the address', () => {
    const BAD: readonly (readonly [string, RegExp])[] = [
      ['', /the address is empty/],
      ['10.0.0.5:', /no valid port/],
      ['10.0.0.5:0', /no valid port/],
      ['10.0.0.5:65536', /no valid port/],
      ['10.0.0.5:-22', /no valid port/],
      ['10.0.0.5:022', /no valid port/],
      ['10.0.0.5:ssh', /no valid port/],
      ['[2001:db8::1]:99999', /no valid port/],
      ['10.0.0.5:٢٢', /is not ASCII/],
      ['wéb1.example.com:22', /is not ASCII/],
      ['ssh://10.0.0.5', /is a URL/],
      ['root@10.0.0.5', /names a user/],
      ['10.0.0.5 :22', /contains blanks/],
      ['10.0.0.256', /neither a name nor an IP address/],
      [':22', /neither a name nor an IP address/],
      ['2001:db8::1:22:22:22:22:22:22', /neither a name nor an IP address/],
      ['[2001:db8::1', /neither a name nor an IP address/],
      ['[10.0.0.5]:22', /neither a name nor an IP address/],
      ['2001:db8::1%eth0', /neither a name nor an IP address/],
    ];
    for (const [address, says] of BAD) {
      it(JSON.stringify(address), async () => {
        await refused(stage, {...USAGE, says}, [], withFlag('address', address));
      });
    }

    it('with the same name in DNS spelling as a hint', async () => {
      const {error} = await refused(stage, USAGE, [], withFlag('address', 'wéb1.example.com'));
      expect(error?.hint).to.include('xn--wb1-bma.example.com');
    });
  });

  describe('stores the address', () => {
    // Without a port: sshd's own.
    const GOOD: readonly (readonly [string, string])[] = [
      ['2001:db8::1', '[2001:db8::1]:PORT'],
      ['[2001:db8::1]', '[2001:db8::1]:PORT'],
      ['[2001:DB8:0:0:0:0:0:1]:2222', '[2001:db8::1]:2222'],
      ['2001:0db8:0000::0001', '[2001:db8::1]:PORT'],
      ['[::ffff:192.0.2.7]:22', '192.0.2.7:22'],
      ['fe80::1%eth0', '[fe80::1%eth0]:PORT'],
      ['192.0.2.7', '192.0.2.7:PORT'],
      ['WEB1.Example.COM:22', 'web1.example.com:22'],
      ['db_1.example.com:65535', 'db_1.example.com:65535'],
    ];
    for (const [typed, stored] of GOOD) {
      it(`${typed} as ${stored}, certified without port and brackets`, async () => {
        const address = stored.replace('PORT', String(stage.sshd.port));
        const answer = envelope(await stage.joinWith({address: typed}, ['--dry-run', '--json']));
        expect(answer.exit, JSON.stringify(answer)).to.equal(0);
        expect(answer.result.node.address).to.equal(address);
        expect(answer.result.names).to.include(address.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''));
      });
    }
  });

  describe('refuses the proxy', () => {
    for (const [proxy, says] of [
      ['https://teleport.example.com', /is a URL/],
      ['teleport.example.com:70000', /no valid port/],
      ['', /the address is empty/],
      ['télé.example.com', /is not ASCII/],
    ] as const) {
      it(JSON.stringify(proxy), () =>
        refused(stage, {...USAGE, says}, [], withFlag('proxy-server', proxy)).then(() => undefined),
      );
    }

    it('that is not given', async () => {
      await refused(stage, {...USAGE, says: /--proxy-server is missing/}, [], {
        flags: {'proxy-server': undefined},
      });
    });
  });

  describe('refuses the labels', () => {
    for (const [labels, says] of [
      ['env', /is not name=value/],
      ['env=prod,', /end with a separator/],
      ['=prod', /has no name/],
      ['en v=prod', /refuses the label name "en v"/],
      ['env="prod', /is not name=value/],
      ['größe=1', /refuses the label name/],
      ['env=prod,,team=a', /is not name=value/],
    ] as const) {
      it(labels, () =>
        refused(stage, {...USAGE, says}, [], withFlag('labels', labels)).then(() => undefined),
      );
    }
  });

  describe('refuses the name', () => {
    for (const name of ['web_1', 'web 1', 'wéb1', '-web1', '.web1', 'web1!', 'a'.repeat(257), '']) {
      it(JSON.stringify(name.slice(0, 20)), async () => {
        const {error} = await refused(
          stage,
          {...USAGE, says: /the cluster would rename/},
          [],
          withFlag('hostname', name),
        );
        expect(error?.hint).to.include('--hostname');
      });
    }

    it('that the host itself has, when the cluster would rename it', async function () {
      const prefix = [
        'unshare',
        '--uts',
        'sh',
        '-c',
        'echo web_1 >/proc/sys/kernel/hostname && exec "$@"',
        'sh',
      ] as const;
      try {
        execFileSync(prefix[0], [...prefix.slice(1), 'true'], {stdio: 'ignore'});
      } catch {
        skip(this, 'no name of its own without root');
      }
      const expected = {exit: 6, code: 'HOST_UNSUITABLE', says: /would rename "web_1"/};
      const {error} = await refused(stage, expected, [], {flags: {hostname: undefined}, prefix});
      expect(error?.hint).to.include('--hostname web-1');
    });
  });

  it('refuses flags that it does not know, or that contradict each other', async () => {
    await refused(stage, {...USAGE, says: /nonexistent flag/i}, ['--no-such-flag']);
    await refused(stage, USAGE, ['--token-file', '/dev/null']);
    await refused(stage, {...USAGE, says: /--prove-login: expected a login/}, ['--prove-login', '']);
    await refused(stage, USAGE, ['--exit-code']);
    await refused(stage, USAGE, [], withFlag('timeout', '0'));
    await refused(stage, USAGE, ['--join-method', 'kubernetes']);
  });
});
