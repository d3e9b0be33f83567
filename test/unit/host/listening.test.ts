import {expect} from 'chai';
import type {Daemon} from '../../../src/host/daemon.js';
import {unreadListening} from '../../../src/host/listening.js';
import {parseEffective} from '../../../src/ssh/sshd-config/index.js';

const DAEMON: Daemon = {
  state: 'running',
  process: undefined,
  socket: undefined,
  program: '/usr/sbin/sshd',
  options: [],
  listening: ['0.0.0.0:22', '[0:0:0:0:0:0:0:0]:22'],
};

const unread = (wanted: readonly string[], daemon: Partial<Daemon> = {}) =>
  unreadListening(
    {...DAEMON, ...daemon},
    parseEffective(wanted.map((address) => `listenaddress ${address}\n`).join('')),
  );

const NOTHING = {closed: [], opened: []};

describe('where sshd listens, and where it would after a reload', () => {
  it('is the same', () => {
    expect(unread(['[::]:22', '0.0.0.0:22'])).to.deep.equal(NOTHING);
    expect(unread(['10.0.0.5:22'], {listening: ['10.0.0.5:22']})).to.deep.equal(NOTHING);
    expect(unread(['10.0.0.5:22 rdomain 1'], {listening: ['10.0.0.5:22']})).to.deep.equal(NOTHING);
  });

  it('is the same where the host has no IPv6', () => {
    expect(unread(['[::]:22', '0.0.0.0:22'], {listening: ['0.0.0.0:22']})).to.deep.equal(NOTHING);
  });

  it('is another port', () => {
    expect(unread(['[::]:2222', '0.0.0.0:2222'])).to.deep.equal({
      closed: DAEMON.listening,
      opened: ['[::]:2222', '0.0.0.0:2222'],
    });
  });

  it('is one address instead of all', () => {
    expect(unread(['127.0.0.1:22'])).to.deep.equal({closed: DAEMON.listening, opened: ['127.0.0.1:22']});
  });

  it('is one port more', () => {
    expect(unread(['0.0.0.0:22', '[::]:22', '0.0.0.0:2222'])).to.deep.equal({
      closed: [],
      opened: ['0.0.0.0:2222'],
    });
  });

  it('is not judged for a daemon that is stopped, handed its socket, or cannot be seen', () => {
    for (const daemon of [{state: 'stopped'}, {socket: 'ssh.socket'}, {listening: []}] as const) {
      expect(unread(['0.0.0.0:2222'], daemon)).to.deep.equal(NOTHING);
    }
  });
});
