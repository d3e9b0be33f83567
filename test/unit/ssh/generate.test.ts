import {spawnSync} from 'node:child_process';
import {createPublicKey} from 'node:crypto';
import {expect} from 'chai';
import {generateKey, generateKeyAside, generateX25519} from '../../../src/ssh/generate.js';

const KINDS = [
  ['ed25519', 'ed25519'],
  ['p256', 'ec'],
  ['rsa2048', 'rsa'],
] as const;

describe('fresh keys', () => {
  for (const [kind, type] of KINDS)
    it(`are of the kind that was asked for, ${kind}, and each another one`, async () => {
      const keys = [generateKey(kind), generateKey(kind), await generateKeyAside(kind)];
      for (const key of keys) expect([key.type, key.asymmetricKeyType]).to.deep.equal(['private', type]);
      expect(new Set(keys.map((key) => key.export({type: 'pkcs8', format: 'pem'}))).size).to.equal(3);
    });

  it('of X25519 are 32 bytes, and a point that can be read', () => {
    const bytes = generateX25519();
    expect(bytes).to.have.length(32);
    expect(bytes).to.not.deep.equal(generateX25519());
    const key = {kty: 'OKP', crv: 'X25519', x: Buffer.from(bytes).toString('base64url')};
    expect(createPublicKey({key, format: 'jwk'}).asymmetricKeyType).to.equal('x25519');
  });

  it('are read while garbage is collected at any moment', function () {
    this.timeout(60_000);
    const program = `
      import {generateKey} from './src/ssh/generate.ts';
      import {publicBlob} from './src/ssh/key.ts';
      for (let turn = 0; turn < 1000; turn += 1) {
        const key = generateKey('ed25519');
        for (let time = 0; time < 5; time += 1) publicBlob(key);
      }
      console.log('done');`;
    const words = [
      '--import=tsx',
      '--input-type=module',
      '--max-semi-space-size=1',
      '--gc-interval=13',
      '--eval',
      program,
    ];
    const {stdout, stderr} = spawnSync(process.execPath, words, {encoding: 'utf8', timeout: 20_000});
    expect(stdout, stderr).to.equal('done\n');
  });
});
