import {expect} from 'chai';
import fc from 'fast-check';
import {type Chain, chain} from '../../../src/pam/chain.js';
import type {Result} from '../../../src/pam/control.js';
import {run} from '../../../src/pam/flow.js';
import {isPlaced, type Placed, place, removed} from '../../../src/pam/index.js';
import {parseStack} from '../../../src/pam/stack.js';
import {type Generated, POSSIBLE, result, shreds, soundFiles} from './generators.js';
import {PLAIN, SILENT, STRICT} from './targets.js';

const RUNS = {numRuns: Number(process.env['CASES'] ?? 300)};
const TYPES = ['account', 'session'] as const;
const OWN = / substack teleport # Managed by agentless/;

interface Case extends Generated {
  readonly placed: Placed;
  readonly required: boolean;
}

const wishes = fc.constantFrom(
  {target: SILENT, required: false},
  {target: PLAIN, required: false},
  {target: STRICT, required: true},
);

const ends = fc.constantFrom('', '', '', '\n# END x', ' # \r\n');

/** Files in which there is a place for our lines. */
const placings: fc.Arbitrary<Case> = fc
  .tuple(soundFiles(), ends, wishes)
  .map(([{main, files}, end, {target, required}]) => {
    const includes = new Map([...files, ['teleport', target]]);
    const text = main + end;
    const placed = place(text, {service: 'teleport', required, includes});
    return placed.kind === 'placed' ? {main: text, files: includes, required, placed} : undefined;
  })
  .filter((one) => one !== undefined);

/** Rules return results by their place in the file as it was; ours return what they are told to. */
function walk(
  all: Chain,
  isOurs: (line: number) => boolean,
  results: readonly Result[],
  ours: readonly Result[],
) {
  const others = all.links.filter(({line}) => !isOurs(line));
  const own = all.links.filter(({line}) => isOurs(line));
  const {reached, verdict} = run(all, ({module, type}, link) => {
    if (module === 'pam_permit.so') return 'success';
    if (module === 'pam_deny.so') return type === 'account' ? 'auth_err' : 'session_err';
    // Our file asks whether it is the service itself.
    if (module === 'pam_succeed_if.so') return 'auth_err';
    if (isOurs(link.line)) return ours[own.indexOf(link) % ours.length] ?? 'success';
    return results[others.indexOf(link) % results.length] ?? 'success';
  });
  const called = reached.filter(({line}) => !isOurs(line));
  return {
    called: called.map((link) => others.indexOf(link)),
    controls: called.map(({control}) => control),
    verdict,
    passed: reached.length > called.length,
  };
}

function both(
  {main, files, placed}: Case,
  type: 'account' | 'session',
  results: readonly Result[],
  ours: readonly Result[],
) {
  const {lines} = parseStack(placed.text);
  const own = new Set(lines.filter(({raw}) => OWN.test(raw)).map(({number}) => number));
  return {
    before: walk(chain(parseStack(main), type, files), () => false, results, ours),
    after: walk(chain({lines}, type, files), (line) => own.has(line), results, ours),
  };
}

const many = fc.array(result, {minLength: 25, maxLength: 25});

// A script passes, or fails in some way; it never asks for a new password.
const scripts = fc.array(fc.constantFrom(...POSSIBLE.filter((one) => one !== 'new_authtok_reqd')), {
  minLength: 1,
  maxLength: 3,
});

describe('placing our lines', () => {
  it('and taking them out gives the file back, byte for byte, and placing twice is placing once', () => {
    fc.assert(
      fc.property(placings, ({main, files, required, placed}) => {
        expect(removed(placed.text)).to.equal(main);
        expect(isPlaced(placed.text)).to.equal(true);
        expect(place(placed.text, {service: 'teleport', required, includes: files})).to.deep.equal(placed);
      }),
      RUNS,
    );
  });

  it('puts in two lines and touches no other', () => {
    fc.assert(
      fc.property(placings, ({main, placed}) => {
        const lines = placed.text.split('\n');
        const others = lines.filter((line) => !OWN.test(line));
        expect(lines.length - others.length).to.equal(2);
        expect(others.join('\n')).to.be.oneOf([main, `${main}\n`]);
      }),
      RUNS,
    );
  });

  it('has every rule called as before, in the same order with the same control, and the same answer', () => {
    fc.assert(
      fc.property(placings, many, scripts, (one, results, ours) => {
        for (const type of TYPES) {
          const {before, after} = both(one, type, results, one.required ? ['success'] : ours);
          expect(after.called).to.deep.equal(before.called);
          expect(after.controls).to.deep.equal(before.controls);
          expect(after.verdict).to.equal(before.verdict);
        }
      }),
      RUNS,
    );
  });

  it('lets no login in that was denied, nor past our lines without saying so', () => {
    fc.assert(
      fc.property(placings, many, scripts, (one, results, ours) => {
        for (const type of TYPES) {
          const {before, after} = both(one, type, results, ours);
          if (before.verdict !== 'success') expect(after.verdict).not.to.equal('success');
          const said = one.placed.notes.includes(`some logins are let in without passing our ${type} line`);
          if (after.verdict === 'success' && !said) expect(after.passed).to.equal(true);
        }
      }),
      RUNS,
    );
  });

  it('is passed when every rule succeeds', () => {
    fc.assert(
      fc.property(placings, (one) => {
        for (const type of TYPES)
          expect(both(one, type, ['success'], ['success']).after.passed).to.equal(true);
      }),
      RUNS,
    );
  });

  it('denies every login that a required script has denied', () => {
    fc.assert(
      fc.property(placings, many, (one, results) => {
        for (const type of one.required ? TYPES : []) {
          const {after} = both(one, type, results, ['system_err']);
          if (after.passed) expect(after.verdict).not.to.equal('success');
        }
      }),
      RUNS,
    );
  });

  it('finds a place in most files that have rules of both types', () => {
    const results = fc.sample(soundFiles(), 200).map(({main, files}) =>
      place(main, {
        service: 'teleport',
        required: false,
        includes: new Map([...files, ['teleport', SILENT]]),
      }),
    );
    const refused = results.filter((one) => one.kind === 'refused' && !/^has no/.test(one.reason));
    expect(refused.length).to.be.below(20);
  });

  it('can be taken back in texts of any kind', () => {
    const includes = new Map([['teleport', SILENT]]);
    fc.assert(
      fc.property(shreds(), (text) => {
        const placed = place(text, {service: 'teleport', required: false, includes});
        expect(removed(placed.kind === 'placed' ? placed.text : text)).to.equal(text);
      }),
      RUNS,
    );
  });
});
