import {X509Certificate} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import {connect} from '../../../src/cluster/client.js';
import {Passing} from '../../../src/cluster/deadline.js';
import {readFind} from '../../../src/cluster/find.js';
import {errorCode, networkFailure} from '../../../src/cluster/network-failure.js';
import {oneLine} from '../../../src/cluster/one-line.js';
import {pinOf, readPin} from '../../../src/cluster/pin.js';
import {clientProblem, readCertificates, serverProblem} from '../../../src/cluster/tls-certificate.js';
import {Failure} from '../../../src/errors.js';

const golden = (path: string) =>
  readFileSync(new URL(`../../golden/teleport-18.0.0/balanced-v1/${path}`, import.meta.url), 'utf8');

describe('options of the client', () => {
  const options = {clientVersion: '0.0.0'};

  it('refuses a proxy that is no address, and takes 443 for a port', async () => {
    for (const proxy of ['', 'https://proxy.test', 'proxy.test:0', 'proxy test', 'a@b']) {
      expect(() => connect({...options, proxy}), proxy)
        .to.throw(Failure)
        .with.property('code', 'USAGE');
    }
    const cluster = connect({...options, proxy: 'no-such-host.invalid'});
    const error: unknown = await cluster.describe().catch((reason: unknown) => reason);
    expect(error)
      .to.be.instanceOf(Failure)
      .with.property('message')
      .that.contains('no-such-host.invalid:443');
    await cluster.close();
  });
});

describe('the answer of find', () => {
  const find = (changes: object) => readFind({...JSON.parse(golden('find.json')), ...changes}, 'p:1');

  it('names its suite by a word or a number; none is legacy, an unknown one is not', () => {
    const suite = (value: unknown) => find({auth: {signature_algorithm_suite: value}}).suite;
    expect([undefined, '', 0, 1, 2, 3, 4, 'hsm-v1', 'balanced-v9', 9].map(suite)).to.deep.equal([
      ...['legacy', 'legacy', 'legacy', 'legacy', 'balanced-v1', 'fips-v1', 'hsm-v1', 'hsm-v1'],
      ...['balanced-v1', 'balanced-v1'],
    ]);
    expect(find({auth: undefined}).suite).to.equal('legacy');
  });

  it('tells whether TLS routing is on', () => {
    expect(find({proxy: {}}).tlsRouting).to.equal(false);
  });

  it('is refused without a name that can be one', () => {
    for (const name of [undefined, '', 1, 'a b', 'a\n', 'x'.repeat(256), 'ü']) {
      expect(() => find({cluster_name: name}), String(name)).to.throw('does not tell the name');
    }
  });
});

describe('pins', () => {
  it('are hashes of the public key', () => {
    const [authority] = readCertificates([golden('tls-ca.pem')]) ?? [];
    if (authority === undefined) throw new Error('no certificate');
    expect(pinOf(authority)).to.match(/^sha256:[0-9a-f]{64}$/);
    expect(readPin(` ${pinOf(authority).toUpperCase()}\n`)).to.equal(pinOf(authority));
  });
});

describe('X.509 certificates of a cluster', () => {
  const [authority, leaf] = [
    new X509Certificate(golden('tls-ca.pem')),
    new X509Certificate(golden('tls.pem')),
  ];

  it('are looked at for their purpose', () => {
    const only = (purpose: string | undefined) =>
      Object.defineProperty(new X509Certificate(golden('tls.pem')), 'keyUsage', {
        value: purpose && [purpose],
      });
    const [server, client] = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'];
    const expected = {key: leaf.publicKey, name: 'x', role: 'Node'};
    const name = String(leaf.toLegacyObject().subject.CN);
    for (const purpose of [client, undefined]) {
      expect(serverProblem(only(purpose), 'db1', [authority])).to.equal('is not for TLS servers');
    }
    expect(serverProblem(only(server), 'db1', [authority])).to.equal(undefined);
    expect(clientProblem(only(server), {...expected, name}, [authority])).to.equal('is not for TLS clients');
    expect(clientProblem(only(client), {...expected, name}, [authority])).to.equal(undefined);
    expect(clientProblem(leaf, expected, [authority])).to.contain('not for x');
    expect(clientProblem(leaf, {...expected, name, role: 'Proxy'}, [authority])).to.contain('role');
    expect(clientProblem(leaf, {...expected, name}, [])).to.contain('not signed');
  });

  it('are read one after the other; anything else is refused whole', () => {
    const two = golden('tls.pem') + golden('tls-ca.pem');
    expect(readCertificates([two])).to.have.length(2);
    expect(readCertificates([])).to.deep.equal([]);
    for (const bad of ['', 'x', two.replace('MIIC', 'MIID')])
      expect(readCertificates([two, bad])).to.equal(undefined);
  });
});

describe('failures of the network', () => {
  const failing = (code: string) => networkFailure(Object.assign(new Error('x'), {code}), 'p:1');

  it('have words, and are tried again where that may help', () => {
    for (const code of [
      'ENOTFOUND',
      'EAI_AGAIN',
      'ECONNREFUSED',
      'EHOSTUNREACH',
      'ETIMEDOUT',
      'ECONNRESET',
      'EPIPE',
      'EPERM',
    ]) {
      expect(failing(code), code).to.be.instanceOf(Passing);
    }
    for (const code of ['EACCES', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_TLS_SOMETHING', 'EWHATEVER']) {
      expect(failing(code), code).to.be.instanceOf(Failure).and.include({code: 'CLUSTER_UNREACHABLE'});
    }
  });

  it('leave bugs alone', () => {
    const bug = new TypeError('x is not a function');
    expect(networkFailure(bug, 'p:1')).to.equal(bug);
    expect(failing('ERR_INVALID_ARG_TYPE')).not.to.be.instanceOf(Failure);
  });

  it('are found along causes, even in a circle', () => {
    const inner = Object.assign(new Error('inner'), {code: 'ECONNRESET'});
    const outer = new Error('outer', {cause: inner});
    inner.cause = outer;
    expect(errorCode(outer)).to.equal('ECONNRESET');
    expect(errorCode('nothing')).to.equal(undefined);
  });
});

describe("a server's words", () => {
  it('fit on one line of a terminal', () => {
    expect(oneLine(' a\n\tb\u001b[2J\u0000\r\nc ')).to.equal('a, b?[2J?, c');
    expect(oneLine('x'.repeat(1000))).to.have.length(500);
  });
});
