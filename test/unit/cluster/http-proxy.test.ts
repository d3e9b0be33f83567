import {expect} from 'chai';
import {httpProxyFor} from '../../../src/cluster/http-proxy.js';
import {Failure} from '../../../src/errors.js';

describe('which HTTP proxy', () => {
  const target = (text: string) => {
    const [, host = '', port] = /^(.*):(\d+)$/.exec(text) ?? [];
    return {host, port: Number(port)};
  };
  const HTTPS_PROXY = 'http://proxy.test:3128';

  it('none without a variable', () => {
    for (const env of [{}, {HTTPS_PROXY: ''}, {HTTP_PROXY: HTTPS_PROXY}]) {
      expect(httpProxyFor(target('a.test:443'), env)).to.equal(undefined);
    }
  });

  const values: readonly (readonly [string, object])[] = [
    ['http://proxy.test:3128', {host: 'proxy.test', port: 3128, tls: false, authorization: undefined}],
    ['proxy.test:3128', {host: 'proxy.test', port: 3128, tls: false}],
    ['proxy.test', {host: 'proxy.test', port: 80, tls: false}],
    ['https://proxy.test', {host: 'proxy.test', port: 443, tls: true}],
    ['http://[2001:db8::1]:8080/', {host: '2001:db8::1', port: 8080}],
    ['http://u:p@proxy.test', {authorization: `Basic ${Buffer.from('u:p').toString('base64')}`}],
    ['http://u%3A:p%20%40@proxy.test', {authorization: `Basic ${Buffer.from('u::p @').toString('base64')}`}],
    ['http://u@proxy.test', {authorization: `Basic ${Buffer.from('u:').toString('base64')}`}],
  ];
  for (const [value, expected] of values) {
    it(`of ${value}`, () => {
      expect(httpProxyFor(target('a.test:443'), {HTTPS_PROXY: value})).to.include(expected);
      expect(httpProxyFor(target('a.test:443'), {https_proxy: value})).to.include(expected);
    });
  }

  it('refuses what it cannot use, without showing it', () => {
    for (const value of [
      'socks5://u:s3cr3t@p.test',
      'http://u:s3cr3t@',
      'http://u:s3cr3t%@p.test',
      'http://u:s3cr3t@p.test:port',
    ]) {
      try {
        httpProxyFor(target('a.test:443'), {HTTPS_PROXY: value});
        expect.fail(`took ${value}`);
      } catch (error) {
        expect(error, value).to.be.instanceOf(Failure).and.include({code: 'USAGE'});
        expect(String(error)).not.to.contain('s3cr3t');
      }
    }
  });

  const around: readonly (readonly [string, string, boolean])[] = [
    ['localhost:443', '', true],
    ['127.0.0.1:443', '', true],
    ['127.9.9.9:443', '', true],
    ['::1:443', '', true],
    ['a.test:443', '*', true],
    ['a.test:443', 'other.test, a.test', true],
    ['a.test:443', 'A.TEST', true],
    ['b.a.test:443', 'a.test', true],
    ['ba.test:443', 'a.test', false],
    ['a.test:443', '.a.test', false],
    ['b.a.test:443', '.a.test', true],
    ['b.a.test:443', '*.a.test', true],
    ['a.test:443', 'a.test:443', true],
    ['a.test:443', 'a.test:80', false],
    ['10.0.0.5:443', '10.0.0.5', true],
    ['10.0.0.5:443', '10.0.0.5:443', true],
    ['10.0.0.5:443', '10.0.0.0/8', true],
    ['11.0.0.5:443', '10.0.0.0/8', false],
    ['10.0.0.5:443', '10.0.0.0/99', false],
    ['10.0.0.5:443', '0.5', false],
    ['2001:db8::5:443', '2001:db8::/32', true],
    ['2001:db8::5:443', '[2001:db8::5]:443', true],
    ['2001:db8::5:443', '2001:db8::5', true],
    ['a.test:443', '10.0.0.0/8', false],
    ['a.test:443', ' , ', false],
  ];
  for (const [address, NO_PROXY, direct] of around) {
    it(`${direct ? 'none' : 'one'} to ${address} with NO_PROXY=${NO_PROXY}`, () => {
      for (const env of [
        {HTTPS_PROXY, NO_PROXY},
        {HTTPS_PROXY, no_proxy: NO_PROXY},
      ]) {
        expect(httpProxyFor(target(address), env) === undefined).to.equal(direct);
      }
    });
  }
});
