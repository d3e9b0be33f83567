import {join} from 'node:path';
import {expect} from 'chai';
import fc from 'fast-check';
import {servedKey} from '../../../src/host/served-key.js';
import {certificateAlgorithms, plainAlgorithms} from '../../../src/ssh/algorithms.js';
import {FOREVER, parseCertificate, signCertificate} from '../../../src/ssh/certificate.js';
import {formatPublicKey, publicBlob} from '../../../src/ssh/key.js';
import {KeyExchange} from '../../../src/ssh/key-exchange.js';
import {concatBytes, encodeString, encodeUint32, SshFormatError, WireReader} from '../../../src/ssh/wire.js';
import {oneShotSshd} from '../../support/one-shot-sshd.js';
import {KEYS, keyNamed, Scratch} from './keygen.js';

/** Host keys and certificates of every type in one directory, and an sshd_config that serves them all. */
class Server {
  readonly scratch = new Scratch();
  readonly certificates = new Map<string, string>();
  config = '';

  static async make(): Promise<Server> {
    const server = new Server();
    const lines = ['UsePAM no', 'StrictModes no'];
    for (const [name, key] of Object.entries(KEYS)) {
      lines.push(`HostKey ${await server.scratch.keyFile(name, key)}`);
      const fields = {type: 'host', key: publicBlob(key), principals: ['web1']} as const;
      const line = signCertificate({...fields, validAfter: 0n, validBefore: FOREVER}, keyNamed('ed25519'));
      server.certificates.set(name, line);
      lines.push(`HostCertificate ${server.scratch.file(`${name}-cert.pub`, `${line}\n`)}`);
    }
    server.config = server.scratch.file('sshd_config', `${lines.join('\n')}\n`);
    return server;
  }

  /** What it serves for these algorithms, and its own words where it serves nothing. */
  async serves(algorithms: readonly string[], options: readonly string[] = []) {
    using shot = oneShotSshd(this.config, options);
    const key = await servedKey(shot.stream, algorithms);
    return {key, words: shot.words()};
  }

  /** Everything that a real server says in one exchange, in the order of its turns. */
  async transcript(algorithms: readonly string[]): Promise<Uint8Array[]> {
    using shot = oneShotSshd(this.config);
    const exchange = new KeyExchange(algorithms);
    const turns: Uint8Array[] = [];
    let said: Uint8Array = new Uint8Array();
    shot.stream.write(exchange.start());
    for await (const bytes of shot.stream) {
      said = concatBytes(said, bytes as Uint8Array);
      const {send, key} = exchange.feed(bytes as Uint8Array);
      if (send === undefined && key === undefined) continue;
      turns.push(said);
      said = new Uint8Array();
      if (key !== undefined) return turns;
      shot.stream.write(send);
    }
    throw new Error(`sshd served nothing: ${shot.words()}`);
  }
}

const GREETING = Buffer.from('SSH-2.0-OpenSSH_9.2\r\n');

function packet(payload: Uint8Array, padding = 4): Uint8Array {
  return concatBytes(
    encodeUint32(1 + payload.length + padding),
    Uint8Array.of(padding),
    payload,
    new Uint8Array(padding),
  );
}

function message(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return packet(concatBytes(Uint8Array.of(type), ...parts));
}

function kexinit(methods: string): Uint8Array {
  return message(20, new Uint8Array(16), encodeString(methods));
}

const REPLY = message(31, encodeString('the key'));

/** The key that comes of these pieces; undefined when they are over before it came. */
function fed(pieces: Iterable<Uint8Array>): Uint8Array | undefined {
  const exchange = new KeyExchange(['ssh-ed25519']);
  for (const piece of pieces) {
    const {key} = exchange.feed(piece);
    if (key !== undefined) return key;
  }
  return undefined;
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1');
}

describe('key exchange', () => {
  let server: Server;
  before(async () => {
    server = await Server.make();
  });
  after(() => server.scratch[Symbol.dispose]());

  describe('with a real sshd', function () {
    this.slow(1000);

    for (const [name, key] of Object.entries(KEYS)) {
      const type = formatPublicKey(publicBlob(key)).split(' ')[0] ?? '';
      for (const algorithm of plainAlgorithms(type).filter((one) => one !== 'ssh-rsa')) {
        it(`sees the plain ${name} key by ${algorithm}`, async () => {
          const {key: served, words} = await server.serves([algorithm]);
          expect(text(served), words).to.equal(text(publicBlob(key)));
        });
      }
      for (const algorithm of certificateAlgorithms(type).filter((one) => !one.startsWith('ssh-rsa-'))) {
        it(`sees the ${name} certificate by ${algorithm}`, async () => {
          const {key: served, words} = await server.serves([algorithm]);
          const [, base64 = ''] = server.certificates.get(name)?.split(' ') ?? [];
          expect(text(served), words).to.equal(Buffer.from(base64, 'base64').toString('latin1'));
        });
      }
    }

    it('gets the first of several algorithms that the server has', async () => {
      const {key} = await server.serves(['ssh-ed25519-cert-v01@openssh.com', 'ssh-ed25519']);
      const blob = parseCertificate(server.certificates.get('ed25519') ?? '').line.split(' ')[1];
      expect(Buffer.from(key ?? '').toString('base64')).to.equal(blob);
      const plain = await server.serves(['ssh-dss', 'ssh-ed25519']);
      expect(text(plain.key)).to.equal(text(publicBlob(keyNamed('ed25519'))));
    });

    for (const method of [
      'ecdh-sha2-nistp256',
      'ecdh-sha2-nistp384',
      'ecdh-sha2-nistp521',
      'curve25519-sha256',
      'curve25519-sha256@libssh.org',
    ]) {
      it(`takes a server that offers ${method} only`, async () => {
        const {key, words} = await server.serves(['ssh-ed25519'], [`KexAlgorithms=${method}`]);
        expect(text(key), words).to.equal(text(publicBlob(keyNamed('ed25519'))));
      });
    }

    for (const option of [
      'Ciphers=aes256-cbc',
      'Ciphers=chacha20-poly1305@openssh.com',
      'MACs=umac-64-etm@openssh.com',
      'MACs=hmac-sha1',
      'Compression=no',
    ]) {
      it(`takes a server with ${option}`, async () => {
        const {key, words} = await server.serves(['ssh-ed25519'], [option]);
        expect(text(key), words).to.equal(text(publicBlob(keyNamed('ed25519'))));
      });
    }

    it('has no answer from a server that offers diffie-hellman only', async () => {
      const {key} = await server.serves(['ssh-ed25519'], ['KexAlgorithms=diffie-hellman-group14-sha256']);
      expect(key).to.equal(undefined);
    });

    it('has no answer from a server without such a key, nor one that is no sshd', async () => {
      expect((await server.serves(['ssh-dss'])).key).to.equal(undefined);
      using broken = oneShotSshd(join(server.scratch.path, 'no-such-config'));
      expect(await servedKey(broken.stream, ['ssh-ed25519'])).to.equal(undefined);
    });

    it('understands the same words in pieces of any size', async () => {
      const turns = await server.transcript(['ssh-ed25519']);
      expect(turns).to.have.length(2);
      const whole = concatBytes(...turns);
      const expected = text(publicBlob(keyNamed('ed25519')));
      expect(text(fed([...whole].map((byte) => Uint8Array.of(byte))))).to.equal(expected);
      for (let cut = 0; cut <= whole.length; cut += 1) {
        // The rest of a piece waits until the server speaks again: an empty piece stands for that.
        const pieces = [whole.subarray(0, cut), whole.subarray(cut), new Uint8Array()];
        expect(text(fed(pieces)), `cut at ${cut}`).to.equal(expected);
      }
    });
  });

  it('speaks first, and as RFC 4253 wants it: version line, then one padded packet', () => {
    const words = Buffer.from(new KeyExchange(['ssh-ed25519', 'ssh-rsa']).start());
    const end = words.indexOf('\r\n') + 2;
    expect(words.subarray(0, end).toString()).to.equal('SSH-2.0-agentless\r\n');
    const sent = words.subarray(end);
    expect(sent.length % 8).to.equal(0);
    expect(sent.readUInt32BE(0)).to.equal(sent.length - 4);
    expect(sent[4]).to.be.at.least(4);
    const reader = new WireReader(sent.subarray(22));
    reader.text();
    expect(reader.text()).to.equal('ssh-ed25519,ssh-rsa');
  });

  it('opens the exchange by the first of its own methods that the server has', () => {
    const lengths = {
      'ecdh-sha2-nistp256': 65,
      'ecdh-sha2-nistp384': 97,
      'ecdh-sha2-nistp521': 133,
      'ecdh-sha2-nistp521,curve25519-sha256': 32,
      'sntrup761x25519-sha512@openssh.com,curve25519-sha256@libssh.org': 32,
    };
    for (const [methods, length] of Object.entries(lengths)) {
      const {send} = new KeyExchange(['ssh-ed25519']).feed(concatBytes(GREETING, kexinit(methods)));
      const payload = Buffer.from(send ?? '').subarray(5);
      expect(payload[0], methods).to.equal(30);
      expect(new WireReader(payload.subarray(1)).string().length, methods).to.equal(length);
    }
  });

  it('refuses a server without a method in common', () => {
    const offer = concatBytes(
      GREETING,
      kexinit('diffie-hellman-group14-sha256,diffie-hellman-group16-sha512'),
    );
    expect(() => fed([offer])).to.throw(SshFormatError, 'no key exchange method in common');
  });

  it('skips what a server says before it greets', () => {
    const banner = Buffer.from('Welcome!\r\nno SSH-2.0-here\n\nreally\n');
    expect(text(fed([banner, GREETING, REPLY]))).to.equal('the key');
    expect(text(fed([concatBytes(banner, Buffer.from('SSH-1.99-Cisco-1.25\n'), REPLY)]))).to.equal('the key');
  });

  it('gives up on a server that talks without greeting', () => {
    const line = Buffer.from('HTTP/1.1 400 Bad Request\r\n');
    expect(fed([line])).to.equal(undefined);
    expect(() => fed([Buffer.alloc(9000, 'x')])).to.throw(SshFormatError, 'does not greet as an SSH server');
    expect(() => fed(Array.from({length: 400}, () => line))).to.throw(SshFormatError);
    expect(() => fed([Buffer.from(`SSH-1.5-old\r\n${'x'.repeat(9000)}`)])).to.throw(SshFormatError);
  });

  it('passes over IGNORE, UNIMPLEMENTED and DEBUG, wherever they come', () => {
    const noise = [message(2, encodeString('x')), message(3, encodeUint32(1)), message(4, Uint8Array.of(1))];
    const words = [GREETING, ...noise, kexinit('curve25519-sha256'), ...noise, REPLY];
    expect(text(fed(words))).to.equal('the key');
    expect(fed([GREETING, ...noise])).to.equal(undefined);
    const {send} = new KeyExchange([]).feed(concatBytes(GREETING, ...noise, kexinit('curve25519-sha256')));
    expect(send).to.be.instanceOf(Uint8Array);
  });

  it('says so when the server ends the exchange, or says what nobody has asked for', () => {
    const end = message(1, encodeUint32(2), encodeString('Too many connections'), encodeString(''));
    expect(() => fed([GREETING, end])).to.throw(SshFormatError, 'the server ended the exchange');
    expect(() => fed([GREETING, message(21)])).to.throw(SshFormatError, 'an unexpected message');
    expect(() => fed([GREETING, packet(new Uint8Array())])).to.throw(SshFormatError, 'an unexpected message');
  });

  it('refuses lengths that cannot be', () => {
    const impossible = [0, 1, 256 * 1024 + 1, 0x7fffffff, 0xffffffff];
    for (const length of impossible) {
      const bytes = concatBytes(GREETING, encodeUint32(length), new Uint8Array(8));
      expect(() => fed([bytes]), `${length}`).to.throw(SshFormatError, 'impossible length');
    }
    expect(fed([GREETING, encodeUint32(256 * 1024), new Uint8Array(8)])).to.equal(undefined);
  });

  it('refuses padding that is longer than its packet, whatever follows', () => {
    for (const padding of [4, 5, 200, 255]) {
      const short = concatBytes(encodeUint32(4), Uint8Array.of(padding), new Uint8Array(3));
      expect(() => fed([concatBytes(GREETING, short, REPLY, new Uint8Array(600))]), `${padding}`).to.throw(
        SshFormatError,
        'impossible length',
      );
    }
  });

  it('refuses a reply that is cut short inside its packet', () => {
    const [cutKey, cutOffer] = [message(31, encodeUint32(1000)), message(20, new Uint8Array(8))];
    expect(() => fed([GREETING, cutKey])).to.throw(SshFormatError);
    expect(() => fed([GREETING, cutOffer])).to.throw(SshFormatError);
  });

  it('throws nothing but its own error, whatever it is fed, and takes every byte', () => {
    const word = fc.oneof(
      {weight: 3, arbitrary: fc.uint8Array({maxLength: 300})},
      fc.constantFrom<Uint8Array>(GREETING, REPLY, kexinit('curve25519-sha256'), message(2)),
      fc
        .tuple(fc.nat({max: 40}), fc.nat({max: 255}), fc.uint8Array({maxLength: 60}))
        .map(([type, padding, body]) => packet(concatBytes(Uint8Array.of(type), body), padding)),
    );
    const talk = fc
      .array(word, {maxLength: 12})
      .chain((words) =>
        fc.array(fc.nat({max: 900}), {maxLength: 6}).map((cuts) => ({words: concatBytes(...words), cuts})),
      );
    fc.assert(
      fc.property(talk, fc.boolean(), ({words, cuts}, greeted) => {
        const exchange = new KeyExchange(['ssh-ed25519']);
        const edges = [0, ...cuts.filter((cut) => cut < words.length).sort((a, b) => a - b), words.length];
        try {
          if (greeted) exchange.feed(GREETING);
          for (const [index, start] of edges.entries())
            exchange.feed(words.subarray(start, edges[index + 1]));
        } catch (error) {
          expect(error).to.be.instanceOf(SshFormatError);
        }
      }),
      {numRuns: 2000},
    );
  });
});
