import {expect} from 'chai';
import fc from 'fast-check';
import {
  addressBytes,
  isLoopback,
  isUnspecified,
  joinHostPort,
  peerAddress,
  splitHostPort,
} from '../../../src/devcluster/address.js';
import {RateLimiter} from '../../../src/devcluster/rate-limit.js';
import {TokenStore} from '../../../src/devcluster/tokens.js';
import {acceptsClient, oldestClient} from '../../../src/devcluster/version.js';

describe('devcluster: addresses', () => {
  const problem = (text: string) => {
    const split = splitHostPort(text);
    return 'problem' in split ? split.problem : undefined;
  };

  it('says in Go what is wrong with an address', () => {
    expect(problem('10.0.0.5')).to.equal('missing port in address');
    expect(problem('')).to.equal('missing port in address');
    expect(problem('2001:db8::5')).to.equal('too many colons in address');
    expect(problem('tcp://a:22')).to.equal('too many colons in address');
    expect(problem('[::1]')).to.equal('missing port in address');
    expect(problem('[::1')).to.equal("missing ']' in address");
    expect(problem('[::1]x:22')).to.equal('missing port in address');
    expect(problem('[::1]::22')).to.equal('too many colons in address');
    expect(problem('a]b:22')).to.equal("unexpected ']' in address");
    expect(problem('a[b:22')).to.equal("unexpected '[' in address");
    expect(problem('[a[b]:22')).to.equal("unexpected '[' in address");
  });

  it('splits what it joins', () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(host, fc.nat(70_000), (name, port) => {
        expect(splitHostPort(joinHostPort(name, port))).to.eql({host: name, port: String(port)});
      }),
    );
  });

  it('knows loopback and unspecified in every spelling', () => {
    for (const host of [
      'localhost',
      '127.0.0.1',
      '127.255.0.9',
      '::1',
      '0:0:0:0:0:0:0:1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
    ]) {
      expect(isLoopback(host), host).to.equal(true);
    }
    for (const host of [
      '10.0.0.1',
      '128.0.0.1',
      '::2',
      '::ffff:10.0.0.1',
      'localhost.example',
      '127.0.0.1.example',
      '',
    ]) {
      expect(isLoopback(host), host).to.equal(false);
    }
    for (const host of ['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::0'])
      expect(isUnspecified(host), host).to.equal(true);
    for (const host of ['0.0.0.1', '::1', '', '0']) expect(isUnspecified(host), host).to.equal(false);
  });

  it('reads IPv6 addresses', () => {
    expect(addressBytes('2001:db8::5:0').toString('hex')).to.equal('20010db8000000000000000000050000');
    expect(addressBytes('::').toString('hex')).to.equal('0'.repeat(32));
    expect(addressBytes('1:2:3:4:5:6:7:8').toString('hex')).to.equal('00010002000300040005000600070008');
    expect(peerAddress('::ffff:127.0.0.1')).to.equal('127.0.0.1');
    expect(peerAddress('fe80::1%eth0')).to.equal('fe80::1');
  });
});

describe('devcluster: rate limits', () => {
  it('allows a burst, then one at a time', () => {
    const limiter = new RateLimiter({burst: 3, every: 1000});
    expect([0, 0, 0, 0].map(() => limiter.take('a', 0))).to.eql([true, true, true, false]);
    expect(limiter.take('b', 0)).to.equal(true);
    expect(limiter.take('a', 999)).to.equal(false);
    expect(limiter.take('a', 1000)).to.equal(true);
    expect(limiter.take('a', 1001)).to.equal(false);
    expect([0, 0, 0, 0].map(() => limiter.take('a', 1e6))).to.eql([true, true, true, false]);
  });
});

describe('devcluster: versions', () => {
  it('takes the same major version and the one before', () => {
    expect(oldestClient('18.0.0')).to.equal('17.0.0-aa');
    const takes = (client: string | undefined) => acceptsClient('18.0.0', client);
    for (const client of [undefined, '17.0.0', '17.0.0-aa', '17.0.0-dev', '17.9.1', '19.0.0']) {
      expect(takes(client), client).to.equal(true);
    }
    for (const client of ['', 'x', '17', '16.9.9', '17.0.0-a', '17.0.0-1', '-1.0.0', '18.0', '18.0.0.0']) {
      expect(takes(client), client).to.equal(false);
    }
  });
});

describe('devcluster: tokens', () => {
  it('finds exact names only, stores live ones only, and spells roles as the cluster does', () => {
    const saved: string[][] = [];
    const store = new TokenStore([], (tokens) => saved.push(tokens.map(({name}) => name)));
    const made = store.add({roles: ['node', 'KUBE', 'Odd']});
    expect(made.roles).to.eql(['Node', 'Kube', 'Odd']);
    expect(made.name).to.match(/^[0-9a-f]{32}$/);
    store.add({roles: ['Node'], ttlSeconds: -1, value: 'old'});
    expect(store.find('old')).to.equal(undefined);
    expect(
      store.find(made.name.toUpperCase() === made.name ? `${made.name} ` : made.name.toUpperCase()),
    ).to.equal(undefined);
    expect(store.find(made.name)).to.equal(made);
    expect(saved.at(-1)).to.eql([made.name]);
  });
});
