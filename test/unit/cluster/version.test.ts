import {expect} from 'chai';
import {checkVersion, PROTOCOL_VERSION} from '../../../src/cluster/version.js';
import {Failure} from '../../../src/errors.js';

describe('versions of a cluster', () => {
  const outcome = (server: string, minClient?: string) => {
    try {
      checkVersion(server, minClient);
      return 'ok';
    } catch (error) {
      if (error instanceof Failure) {
        expect(error.hint, server).to.be.a('string');
        return `${error.code}: ${error.message}`;
      }
      throw error;
    }
  };

  it('speaks the protocol of 18', () => {
    expect(PROTOCOL_VERSION).to.match(/^18\.\d+\.\d+$/);
  });

  const accepted: readonly (readonly [string, string?])[] = [
    ['17.0.0'],
    ['17.7.20', '16.0.0-aa'],
    ['18.0.0', '17.0.0-aa'],
    ['18.99.0-dev.abc+meta', '18.0.0'],
    ['v19.0.0', '18.0.0-aa'],
    ['18.0.0', 'rubbish'],
    ['18.0.0', ''],
  ];
  for (const [server, minClient] of accepted) {
    it(`accepts ${server} which takes clients from ${minClient}`, () => {
      expect(outcome(server, minClient)).to.equal('ok');
    });
  }

  const refused: readonly (readonly [string, string | undefined, RegExp])[] = [
    ['16.5.1', undefined, /^VERSION_UNSUPPORTED: .*16\.5\.1, which is too old/],
    ['9.0.0', undefined, /too old/],
    ['20.0.0', undefined, /newer than this program knows/],
    ['180.0.0', undefined, /newer/],
    ['19.0.0', '18.0.1', /newer/],
    ['19.0.0', '19.0.0-aa', /newer/],
    ['18.0', undefined, /^CLUSTER_REPLY_INVALID/],
    ['', undefined, /^CLUSTER_REPLY_INVALID/],
    ['18.0.0 <b>', undefined, /^CLUSTER_REPLY_INVALID/],
  ];
  for (const [server, minClient, message] of refused) {
    it(`refuses ${JSON.stringify(server)} which takes clients from ${minClient}`, () => {
      expect(outcome(server, minClient)).to.match(message);
    });
  }
});
