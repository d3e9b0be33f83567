import {expect} from 'chai';
import {hintFor} from '../../../src/cluster/clock-hint.js';
import {checkSshCertificate} from '../../../src/cluster/identity.js';
import {Failure} from '../../../src/errors.js';
import {FOREVER, signCertificate} from '../../../src/ssh/certificate.js';
import {formatPublicKey, generateKey, parsePublicKey, publicBlob} from '../../../src/ssh/key.js';
import {hostKey} from '../../support/cluster-client.js';

describe('what to do about a certificate of the cluster that is not right', () => {
  it('is to compare the clocks where it is not valid yet or any more', () => {
    const [authority, key] = [generateKey('ed25519'), hostKey()];
    const now = BigInt(Math.floor(Date.now() / 1000));
    const request = {nodeId: 'n', nodeName: 'web1', additionalPrincipals: [], cluster: 'c', hostKey: key};
    const hint = (validAfter: bigint, validBefore: bigint) => {
      const principals = ['n.c', 'n', 'web1.c', 'web1', 'localhost', '127.0.0.1', '::1'];
      const fields = {
        type: 'host',
        key: parsePublicKey(key).blob,
        principals,
        validAfter,
        validBefore,
      } as const;
      const issued = {
        sshCertificate: signCertificate(fields, authority),
        sshAuthorities: [formatPublicKey(publicBlob(authority))],
      };
      try {
        checkSshCertificate(issued, request);
      } catch (error) {
        if (error instanceof Failure) return error.hint;
        throw error;
      }
      return undefined;
    };
    expect(hint(now + 86_400n, FOREVER)).to.match(/^compare the clocks .*nothing has been changed$/);
    expect(hint(0n, now - 86_400n)).to.match(/^compare the clocks /);
    expect(hint(0n, FOREVER), 'without what makes it that of a node').to.match(/something standing between/);
  });

  it('is to look for somebody in between where it is of another kind', () => {
    expect(hintFor('it is for another key')).to.match(/something standing between/);
  });
});
