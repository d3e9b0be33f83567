import {expect} from 'chai';
import {
  type Authority,
  ROTATION_PHASES,
  type Rotation,
  type RotationPhase,
} from '../../../src/cluster/cluster.js';
import {phases} from '../../../src/operations/rotation-phases.js';

const SCHEDULE = {
  updateClients: new Date('2026-06-01T04:00:00Z'),
  updateServers: new Date('2026-06-01T08:00:00Z'),
  standby: new Date('2026-06-01T12:00:00Z'),
};

const authority = (phase: RotationPhase, rest: Partial<Rotation> = {}): Authority => ({
  active: ['one'],
  additional: [],
  tls: {active: [], additional: []},
  rotation: {phase, id: 'an-id', mode: 'manual', ...rest},
});
const at = (phase: RotationPhase, rest: Partial<Rotation> = {}) =>
  phases({hosts: authority(phase, rest), users: authority(phase, rest)});

describe('the phases of a rotation, for a host', () => {
  it('are told with the id of the rotation', () => {
    for (const phase of ROTATION_PHASES) {
      const {host, openssh} = at(phase);
      expect([host.phase, host.id, openssh.phase, openssh.id]).to.deep.equal([
        phase,
        'an-id',
        phase,
        'an-id',
      ]);
    }
  });

  it('say by when a host must have been renewed, while there is something to be missed', () => {
    expect(at('standby').host.advice).to.equal(undefined);
    expect(at('init').host.advice).to.equal('renew after update_clients and before standby');
    for (const phase of ['update_clients', 'update_servers'] as const)
      expect(at(phase).host.advice).to.match(/^renew before standby: .* old key are refused/);
    expect(at('rollback').host.advice).to.match(/^renew before standby: .* new key are refused/);
  });

  it('say that users come with the new key from update_clients on, and only before that', () => {
    expect(at('init').openssh.advice).to.match(/both keys before update_clients: all logins fail/);
    for (const phase of ['standby', 'update_clients', 'update_servers', 'rollback'] as const)
      expect(at(phase).openssh.advice).to.equal(undefined);
  });

  it('name the time that an automatic rotation has planned, and none that somebody has overtaken by hand', () => {
    const auto = {mode: 'auto', schedule: SCHEDULE};
    expect(at('init', auto).host.advice).to.match(/standby \(planned for 2026-06-01T12:00:00\.000Z\)$/);
    expect(at('update_servers', auto).host.advice).to.match(/\(planned for 2026-06-01T12:00/);
    expect(at('init', auto).openssh.advice).to.match(/\(planned for 2026-06-01T04:00/);
    const byHand = {mode: 'manual', schedule: SCHEDULE};
    expect(at('init', byHand).openssh.advice).to.not.include('planned');
    expect(at('init', {mode: 'auto'}).host.advice).to.not.include('planned');
  });
});
