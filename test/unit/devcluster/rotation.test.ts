import {expect} from 'chai';
import fc from 'fast-check';
import {ROTATION_PHASES, type RotationPhase} from '../../../src/cluster/cluster.js';
import {type Authority, newKeySet, tlsCertificates} from '../../../src/devcluster/authority.js';
import {Refusal} from '../../../src/devcluster/refusal.js';
import {advance, authorityType, nextPhases, phaseOf, serverIssuer} from '../../../src/devcluster/rotation.js';

// Which phase may follow which, and in which words the others are refused: measured on 18.0.0.

const SUITE = 'balanced-v1';

const fresh = async (): Promise<Authority> => ({
  type: 'host',
  cluster: 'c.test',
  revision: 'r',
  active: await newKeySet('host', 'c.test', SUITE),
  additional: [],
});

async function walk(...phases: readonly RotationPhase[]): Promise<Authority> {
  let authority = await fresh();
  for (const phase of phases) authority = await advance(authority, phase, SUITE);
  return authority;
}

async function outcome(authority: Authority, phase: string): Promise<string> {
  return advance(authority, phase, SUITE).then(
    (after) => `-> ${phaseOf(after)}`,
    (error: unknown) => (error instanceof Refusal ? `${error.code} ${error.message}` : String(error)),
  );
}

const busy = '3 can not initiate rotation while another is in progress';
const clients = (from: string) =>
  `3 can only switch to phase update_clients from init, current phase is ${from}`;
const servers = (from: string) =>
  `3 can only switch to phase update_servers from update_clients, current phase is ${from}`;
const cannot = (to: string, from: string) => `3 can not transition to phase "${to}" from "${from}" phase.`;

const TABLE: readonly (readonly [string, readonly RotationPhase[], Record<RotationPhase, string>])[] = [
  [
    'never rotated',
    [],
    {
      init: '-> init',
      update_clients: clients(''),
      update_servers: servers(''),
      standby: cannot('standby', ''),
      rollback: cannot('rollback', ''),
    },
  ],
  [
    'init',
    ['init'],
    {
      init: busy,
      update_clients: '-> update_clients',
      update_servers: servers('init'),
      standby: cannot('standby', 'init'),
      rollback: '-> rollback',
    },
  ],
  [
    'update_clients',
    ['init', 'update_clients'],
    {
      init: busy,
      update_clients: clients('update_clients'),
      update_servers: '-> update_servers',
      standby: cannot('standby', 'update_clients'),
      rollback: '-> rollback',
    },
  ],
  [
    'update_servers',
    ['init', 'update_clients', 'update_servers'],
    {
      init: busy,
      update_clients: clients('update_servers'),
      update_servers: servers('update_servers'),
      standby: '-> standby',
      rollback: '-> rollback',
    },
  ],
  [
    'standby after a rotation',
    ['init', 'update_clients', 'update_servers', 'standby'],
    {
      init: '-> init',
      update_clients: clients('standby'),
      update_servers: servers('standby'),
      standby: cannot('standby', 'standby'),
      rollback: cannot('rollback', 'standby'),
    },
  ],
  [
    'rollback',
    ['init', 'update_clients', 'rollback'],
    {
      init: busy,
      update_clients: clients('rollback'),
      update_servers: servers('rollback'),
      standby: '-> standby',
      rollback: cannot('rollback', 'rollback'),
    },
  ],
];

describe('devcluster: phases of a rotation', () => {
  for (const [what, path, row] of TABLE) {
    it(`from ${what}`, async () => {
      const authority = await walk(...path);
      for (const to of ROTATION_PHASES) expect(await outcome(authority, to), to).to.equal(row[to]);
      // No phase at all means init.
      expect(await outcome(authority, '')).to.equal(row.init);
      expect(await outcome(authority, 'bogus')).to.equal('3 unsupported phase: "bogus"');
    });
  }

  it('there are of authorities only that are known', () => {
    for (const type of ['nosuch', 'all', '', 'Host']) {
      expect(() => authorityType(type)).to.throw(Refusal, `"${type}" authority type is not supported`);
    }
    expect(authorityType('openssh')).to.equal('openssh');
  });

  it('hold what they promise, whatever is asked in whatever order', async () => {
    const phases = fc.array(fc.constantFrom(...ROTATION_PHASES), {maxLength: 25});
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('host' as const, 'openssh' as const), phases, async (type, asked) => {
        let authority: Authority = {...(await fresh()), type, active: await newKeySet(type, 'c.test', SUITE)};
        /** The keys that were active when the present rotation began, or since the last one ended. */
        let old = authority.active;
        for (const [step, to] of asked.entries()) {
          const [before, from] = [authority, phaseOf(authority)];
          const allowed = nextPhases(from).includes(to);
          const after = await advance(authority, to, SUITE, step).catch((error: unknown) => {
            if (error instanceof Refusal) return undefined;
            throw error;
          });
          // An allowed one never fails; a refused one changes nothing.
          expect(after !== undefined, `${from} to ${to}`).to.equal(allowed);
          if (after === undefined) continue;
          authority = after;
          expect(phaseOf(authority)).to.equal(to);
          expect(authority.additional).to.have.length(to === 'standby' ? 0 : 1);
          expect(authority.additional).to.not.include(authority.active);
          // Old keys sign in init and rollback, new ones from update_clients on.
          const oldSigns = to === 'init' || to === 'rollback' || (to === 'standby' && from === 'rollback');
          expect(authority.active === old).to.equal(oldSigns);
          if (to !== 'standby') expect([authority.active, ...authority.additional]).to.include(old);
          // Nothing that signs now was unknown a phase ago.
          expect([before.active, ...before.additional]).to.include(authority.active);
          if (type === 'host') {
            // Whoever has learned the authorities a phase ago believes what the servers present.
            expect(tlsCertificates(before)).to.include(serverIssuer(authority).certificate);
          }
          const {rotation} = authority;
          const sameRotation = rotation?.currentId === before.rotation?.currentId;
          expect(sameRotation).to.equal(to !== 'init');
          expect(rotation?.started === undefined).to.equal(to === 'standby');
          if (to === 'standby') expect(rotation?.lastRotated).to.equal(step);
          else expect(rotation?.lastRotated).to.equal(before.rotation?.lastRotated);
          if (to === 'standby') old = authority.active;
        }
      }),
      {numRuns: 40},
    );
  });
});
