// Connections to ports as a host sees them: of this machine, through an sshd that forwards, and with each relay where it
// does not.

import {readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../src/errors.js';
import {LocalHost} from '../../src/host/local.js';
import {RemoteHost} from '../../src/host/remote/remote-host.js';
import {describeDial} from '../support/dial-contract.js';
import {RELAYS, type Relay, withOnly} from '../support/relays.js';
import {type RemoteTarget, startTarget} from '../support/remote-target.js';
import {skip} from '../support/skip.js';
import {temporaryTree} from '../support/tree.js';

describe('dial', function () {
  this.timeout(60_000);

  describeDial('this machine', {make: async () => new LocalHost()});

  /** A target for every test in here; the others on it work with an sshd of their own. */
  function onTarget(
    name: string,
    {lines = [], key = ''}: {readonly lines?: readonly string[]; readonly key?: string},
    relay: Relay | undefined,
    tests: (open: () => Promise<RemoteHost>, target: () => RemoteTarget) => void,
  ): void {
    describe(name, () => {
      let root: string;
      let target: RemoteTarget;
      before(async function () {
        root = temporaryTree();
        const forced = withOnly(relay, join(root, 'tools'));
        if (forced === undefined) skip(this, `no ${relay} here`);
        target = await startTarget(root, [...lines, forced]);
        const keys = join(root, 'client/authorized_keys');
        writeFileSync(keys, `${key}${readFileSync(keys, 'utf8')}`);
      });
      after(async () => {
        await target?.stop();
        rmSync(root, {recursive: true, force: true});
      });
      tests(
        () => RemoteHost.open(target.options),
        () => target,
      );
    });
  }

  const close = (host: unknown) => (host as RemoteHost).close();
  const forbidden = {lines: ['DisableForwarding yes']};

  onTarget('an sshd that forwards', {}, undefined, (open) =>
    describeDial('through ssh alone', {make: open, close}),
  );
  for (const relay of RELAYS) {
    onTarget('an sshd that does not forward', forbidden, relay, (open) =>
      describeDial(`through ${relay}`, {make: open, close, poor: relay === 'nc'}),
    );
  }

  const ways = {
    'AllowTcpForwarding no': {lines: ['AllowTcpForwarding no']},
    'AllowTcpForwarding remote': {lines: ['AllowTcpForwarding remote']},
    'DisableForwarding yes': forbidden,
    'PermitOpen none': {lines: ['PermitOpen none']},
    'PermitOpen for another port': {lines: ['PermitOpen 127.0.0.1:1']},
    'a key with restrict': {key: 'restrict '},
    'a single session for each connection': {lines: ['AllowTcpForwarding no', 'MaxSessions 1']},
  };
  for (const [name, how] of Object.entries(ways)) {
    onTarget(`forbidden by ${name}`, how, 'bash', (open, target) => {
      it('sshd is reached all the same, again and again', async () => {
        const host = await open();
        const greetings = await Promise.all([1, 2, 3].map(() => greeting(host, target().sshd.port)));
        greetings.push(await greeting(host, target().sshd.port));
        await host.close();
        for (const words of greetings) expect(words).to.match(/^SSH-2\.0-/);
      });
    });
    onTarget(`forbidden by ${name}`, how, undefined, (open, target) => {
      it('that is said where nothing can take its place', async () => {
        const host = await open();
        const {port} = target().sshd;
        const error = await greeting(host, port).catch((failure: unknown) => failure);
        await host.close();
        expect(error).to.be.an.instanceOf(Failure);
        const {code, message, detail, hint} = error as Failure;
        expect(code).to.equal('HOST_UNSUITABLE');
        expect(message).to.match(/^sshd on web1 forbids forwarding/);
        expect(detail).to.match(/^127\.0\.0\.1:\d+: open failed: administratively prohibited/);
        expect(hint).to.include(`PermitOpen 127.0.0.1:${port}`).and.include('perl, bash 4.3 or nc');
      });
    });
  }

  async function greeting(host: RemoteHost, port: number): Promise<string> {
    for await (const bytes of await host.dial('127.0.0.1', port)) return String(bytes);
    return '';
  }
});
