import {mkdtempSync, rmSync} from 'node:fs';
import {createServer, connect as dial, type Server, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PassThrough} from 'node:stream';
import {expect} from 'chai';
import {startPrivateSshd} from '../../../src/demo/private-sshd.js';
import {LocalHost} from '../../../src/host/local.js';
import {servedKey} from '../../../src/host/served-key.js';
import {formatPublicKey} from '../../../src/ssh/key.js';
import {patientConfig} from '../../support/sshd-version.js';

describe('the key that a server serves', () => {
  it('is asked of a listening sshd, as often as one likes', async () => {
    const root = mkdtempSync(join(tmpdir(), 'agentless-served-'));
    const options = {directory: root, program: process.env['SSHD'], keyTypes: ['ed25519', 'ecdsa']};
    const sshd = await startPrivateSshd({...options, stock: patientConfig()});
    try {
      const ask = async (...algorithms: readonly string[]) => {
        const key = await servedKey(await new LocalHost().dial('127.0.0.1', sshd.port), algorithms);
        return key && formatPublicKey(key);
      };
      const known = sshd.hostKeys.map((line) => line.split(' ').slice(0, 2).join(' '));
      const types = ['ssh-ed25519', 'ecdsa-sha2-nistp256'];
      expect(await Promise.all(types.map((type) => ask(type)))).to.deep.equal(known);
      expect(await ask('ssh-ed25519-cert-v01@openssh.com')).to.equal(undefined);
    } finally {
      await sshd.stop();
      rmSync(root, {recursive: true});
    }
  });

  describe('is none', () => {
    const sockets = new Set<Socket>();
    let server: Server;
    let talk: (socket: Socket) => void;
    before(async () => {
      server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined);
        talk(socket);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });

    function ask(how: typeof talk, patience?: number): Promise<Uint8Array | undefined> {
      talk = how;
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      return servedKey(dial(port, '127.0.0.1'), ['ssh-ed25519'], patience);
    }

    it('where somebody hangs up, at once or in the middle', async () => {
      expect(await ask((socket) => socket.end())).to.equal(undefined);
      expect(await ask((socket) => socket.end('SSH-2.0-x\r\n\0\0'))).to.equal(undefined);
      expect(await ask((socket) => socket.resetAndDestroy())).to.equal(undefined);
    });

    it('where somebody else listens', async () => {
      const page = `HTTP/1.1 400 Bad Request\r\n\r\n${'x'.repeat(10_000)}`;
      expect(await ask((socket) => socket.end(page))).to.equal(undefined);
    });

    it('where somebody greets and says no more, or talks without end', async () => {
      expect(await ask((socket) => socket.write('SSH-2.0-x\r\n'), 50)).to.equal(undefined);
      const noise = Buffer.from('0000000c0a0200000000000000000000', 'hex');
      const babble = (socket: Socket) => {
        socket.write('SSH-2.0-x\r\n');
        const timer = setInterval(() => socket.write(noise), 1);
        socket.on('close', () => clearInterval(timer));
      };
      expect(await ask(babble, 100)).to.equal(undefined);
    });
  });

  it('does not hide what is no answer of a server', async () => {
    const broken = new PassThrough();
    const asked = servedKey(broken, ['ssh-ed25519']);
    broken.destroy(new Error('a mistake of ours'));
    expect(await asked.catch((error: Error) => error.message)).to.equal('a mistake of ours');
  });
});
