import {readFileSync} from 'node:fs';
import {create, fromBinary, type MessageInitShape} from '@bufbuild/protobuf';
import {timestampFromDate} from '@bufbuild/protobuf/wkt';
import {expect} from 'chai';
import {readAuthority} from '../../../src/cluster/authority.js';
import {readHostLines} from '../../../src/cluster/authority-export.js';
import {ROTATION_PHASES} from '../../../src/cluster/cluster.js';
import {GetCertAuthoritiesResponseSchema} from '../../../src/cluster/gen/teleport/trust/v1/trust_pb.js';
import {CertAuthorityV2Schema, type RotationSchema} from '../../../src/cluster/gen/types_pb.js';
import {signerOf} from '../../../src/cluster/tls-certificate.js';

// Authorities as a real 18.0.0 told them, and what can be wrong with one.

const golden = (file: string) => new URL(`../../golden/teleport-18.0.0/${file}`, import.meta.url);
const text = (file: string) => readFileSync(golden(file), 'utf8');

type Suite = 'balanced-v1' | 'fips-v1' | 'legacy';

function real(suite: Suite, type: 'host' | 'openssh') {
  const bytes = readFileSync(golden(`${suite}/grpc/grpc-cas-${type}.bin`));
  const [authority] = fromBinary(GetCertAuthoritiesResponseSchema, bytes).certAuthoritiesV2;
  return authority ?? expect.fail('no authority');
}
const clusterOf = (suite: Suite) => real(suite, 'host').spec?.clusterName ?? '';

describe('an authority of a real cluster', () => {
  for (const suite of ['balanced-v1', 'fips-v1', 'legacy'] as const) {
    it(`has SSH and TLS keys, and has never been rotated: ${suite}`, () => {
      const host = readAuthority(real(suite, 'host'), 'host', clusterOf(suite));
      expect(host.active).to.deep.equal([text(`${suite}/ssh-ca.pub`).trim()]);
      expect(host.tls.active).to.have.length(1);
      expect(signerOf(text(`${suite}/tls.pem`), host.tls.active)).to.equal(host.tls.active[0]);
      expect(host).to.deep.include({additional: [], rotation: {phase: 'standby', id: '', mode: ''}});
      expect(host.tls.additional).to.deep.equal([]);
      const openssh = readAuthority(real(suite, 'openssh'), 'openssh', clusterOf(suite));
      expect(openssh.active).to.have.length(1);
      expect(openssh.tls).to.deep.equal({active: [], additional: []});
    });
  }

  it('is exported with the same SSH keys', () => {
    const lines = text('balanced-v1/export/host.txt');
    expect(readHostLines(lines, 'bal.lab.test')).to.deep.equal([text('balanced-v1/ssh-ca.pub').trim()]);
    expect(() => readHostLines(lines, 'lab.test')).to.throw('not for lab.test');
    expect(() => readHostLines(text('balanced-v1/export/openssh.txt'), 'bal.lab.test')).to.throw(
      'no line of one',
    );
  });
});

describe('the rotation of an authority', () => {
  const cluster = 'bal.lab.test';
  const rotated = (rotation: MessageInitShape<typeof RotationSchema>) => {
    const {spec} = real('balanced-v1', 'host');
    const answer = create(CertAuthorityV2Schema, {spec: {...spec, rotation}} as object);
    return readAuthority(answer, 'host', cluster).rotation;
  };
  const zero = {seconds: -62_135_596_800n};
  const date = new Date('2026-11-21T06:26:53.250Z');

  it('is read in every phase', () => {
    for (const phase of ROTATION_PHASES) {
      const state = phase === 'standby' ? 'standby' : 'in_progress';
      expect(rotated({phase, state, currentId: 'x', mode: 'manual'})).to.deep.equal({
        phase,
        id: 'x',
        mode: 'manual',
      });
    }
    expect(rotated({})).to.deep.equal({phase: 'standby', id: '', mode: ''});
  });

  it("has no time where Go's zero stands, nor a schedule of such", () => {
    const schedule = {updateClients: zero, updateServers: zero, standby: zero};
    const empty = {started: zero, lastRotated: zero, gracePeriod: 0n, schedule};
    expect(rotated({phase: 'standby', ...empty})).to.deep.equal({phase: 'standby', id: '', mode: ''});
  });

  it('has a start, a grace period and a schedule when it goes by itself', () => {
    const at = timestampFromDate(date);
    const schedule = {updateClients: at, updateServers: zero, standby: at};
    const auto = {phase: 'init', mode: 'auto', currentId: 'x', started: at, gracePeriod: 43_200_000_000_000n};
    expect(rotated({...auto, schedule})).to.deep.equal({
      phase: 'init',
      id: 'x',
      mode: 'auto',
      started: date,
      graceSeconds: 43_200,
      schedule: {updateClients: date, standby: date},
    });
  });

  it('in a phase that nobody knows is refused', () => {
    expect(() => rotated({phase: 'update\u001beverything'})).to.throw(
      'a phase of rotation that is not known, "update?everything"',
    );
  });

  it('does not hide what is wrong with its TLS keys', () => {
    const host = real('balanced-v1', 'host');
    const other = real('legacy', 'host');
    const answer = (keys: object) => create(CertAuthorityV2Schema, {spec: {...host.spec, ...keys}} as object);
    const wrong = [
      [{activeKeys: {...host.spec?.activeKeys, tls: []}}, /the TLS authorities .* cannot be read/],
      [{activeKeys: {...host.spec?.activeKeys, tls: [{cert: Buffer.from('x')}]}}, /cannot be read/],
      [{activeKeys: {...host.spec?.activeKeys, tls: other.spec?.activeKeys?.tls}}, /belongs to/],
      [{additionalTrustedKeys: other.spec?.activeKeys}, /belongs to/],
      [
        {activeKeys: {...host.spec?.activeKeys, tls: [{cert: Buffer.from(text('balanced-v1/tls.pem'))}]}},
        /not a certificate of an authority/,
      ],
    ] as const;
    for (const [keys, says] of wrong) {
      expect(() => readAuthority(answer(keys), 'host', cluster)).to.throw(says);
    }
  });
});
