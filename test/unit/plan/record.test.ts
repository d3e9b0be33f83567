import {rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Failure} from '../../../src/errors.js';
import {LocalHost} from '../../../src/host/local.js';
import type {BegunPath, Journal} from '../../../src/plan/journal.js';
import {mergeRecord, type OwnershipRecord, readRecord, savedIn} from '../../../src/plan/record.js';
import {ABSENT, type State} from '../../../src/plan/state.js';
import {temporaryTree} from '../../support/tree.js';

const file = (sha256: string, mode = 0o644): State => ({kind: 'file', size: 1, sha256, mode, uid: 0, gid: 0});

function journal(
  id: string,
  paths: readonly Omit<BegunPath, 'why' | 'to'>[],
  rest: Partial<Journal['header']> = {},
): Journal {
  const header = {
    version: 1,
    id,
    operation: `op ${id}`,
    at: `time ${id}`,
    host: 'h',
    settings: {id},
    settle: [],
    ...rest,
  };
  const begun = paths.map((path) => ({why: 'test', to: null, ...path}));
  return {header, paths: begun, commands: [], notes: [], committed: true};
}

describe('the ownership record', () => {
  const first = mergeRecord(
    undefined,
    journal(
      '1',
      [
        {path: '/new', before: ABSENT, after: file('n1')},
        {path: '/old', via: '/link', before: file('o1'), saved: '1-old', after: file('o2')},
      ],
      {settle: [['reload']]},
    ),
    ['/data'],
  );

  it('holds what leaving needs: what was there before, where its copy is, what was made', () => {
    expect(first).to.deep.equal({
      version: 1,
      transaction: '1',
      operation: 'op 1',
      at: 'time 1',
      since: 'time 1',
      host: 'h',
      settings: {id: '1'},
      made: ['/data'],
      settle: [['reload']],
      changes: [
        {path: '/new', why: 'test', before: ABSENT, after: file('n1')},
        {path: '/old', via: '/link', why: 'test', before: file('o1'), saved: '1-old', after: file('o2')},
      ],
    } satisfies OwnershipRecord);
    expect([...savedIn(first)]).to.deep.equal(['1-old']);
    expect([...savedIn(undefined)]).to.deep.equal([]);
  });

  it('keeps the first "before" of a path that nobody else has changed, and the newest of everything else', () => {
    const second = mergeRecord(
      first,
      journal('2', [{path: '/old', before: file('o2'), saved: '2-old', after: file('o3')}], {
        settle: [['reload'], ['b']],
      }),
      [],
    );
    expect(second.changes[1]).to.deep.equal({...first.changes[1], after: file('o3')});
    expect(second).to.deep.include({
      operation: 'op 2',
      at: 'time 2',
      since: 'time 1',
      made: ['/data'],
      settings: {id: '2'},
    });
    expect(second.settle).to.deep.equal([['reload'], ['b']]);
  });

  it('lets go of a path that is back to what it was, in every respect', () => {
    const back = (after: State): readonly string[] =>
      mergeRecord(first, journal('2', [{path: '/old', before: file('o2'), after}]), []).changes.map(
        ({path}) => path,
      );
    expect(back(file('o1'))).to.deep.equal(['/new']);
    expect(back(file('o1', 0o600))).to.deep.equal(['/new', '/old']);
    const gone = mergeRecord(first, journal('2', [{path: '/new', before: file('n1'), after: ABSENT}]), []);
    expect(gone.changes.map(({path}) => path)).to.deep.equal(['/old']);
  });

  describe('where others have changed a path since', () => {
    const old = {path: '/old', via: '/link', why: 'test'};
    /** The change of /old after a transaction that has found this there. */
    const merged = (found: Omit<BegunPath, 'path' | 'why' | 'to'>, record = first) =>
      mergeRecord(record, journal('2', [{...old, ...found}]), []).changes.find(({path}) => path === '/old');
    const now = file('o3');

    it('keeps what they have made of it', () => {
      expect(merged({before: file('theirs'), saved: '2-old', after: now})).to.deep.equal({
        ...old,
        before: file('theirs'),
        saved: '2-old',
        after: now,
      });
      expect(merged({before: ABSENT, after: now}), 'they have removed it').to.deep.equal({
        ...old,
        before: ABSENT,
        after: now,
      });
    });

    it('keeps it without our lines where those were still in', () => {
      const theirs = {size: 7, sha256: 'clean'};
      expect(merged({before: file('mixed', 0o640), theirs, saved: '2-old', after: now})).to.deep.equal({
        ...old,
        before: {...file('clean', 0o640), size: 7},
        saved: '2-old',
        after: now,
      });
    });

    it('goes on as before where they have put the first one back, in every respect', () => {
      expect(merged({before: file('o1'), saved: '2-old', after: now})).to.deep.equal({
        ...first.changes[1],
        after: now,
      });
      expect(merged({before: file('o1', 0o600), saved: '2-old', after: now})).to.deep.include({
        before: file('o1', 0o600),
        saved: '2-old',
      });
    });

    it('keeps the mode that they have given it, and the first content', () => {
      expect(merged({before: file('o2', 0o600), saved: '2-old', after: file('o3', 0o600)})).to.deep.include({
        before: file('o1', 0o600),
        saved: '1-old',
      });
    });

    it('counts the last of several', () => {
      const one = mergeRecord(
        first,
        journal('2', [{...old, before: file('a'), saved: '2-old', after: file('a2')}]),
        [],
      );
      const two = mergeRecord(
        one,
        journal('3', [
          {...old, before: file('b'), saved: '3-old', after: file('b2')},
          {...old, before: file('b2'), saved: '4-old', after: file('b3')},
        ]),
        [],
      );
      expect(two.changes[1]).to.deep.include({before: file('b'), saved: '3-old', after: file('b3')});
      expect([...savedIn(two)]).to.deep.equal(['3-old']);
    });

    it('takes a file of our own for ours, whatever they have made of it', () => {
      const begun = {path: '/new', before: file('odd'), saved: '2-new', after: file('n2')};
      const {changes} = mergeRecord(first, journal('2', [begun]), []);
      expect(changes[0]).to.deep.equal({path: '/new', why: 'test', before: ABSENT, after: file('n2')});
    });
  });

  it('takes a transaction once, however often it is merged', () => {
    const last = journal('2', [{path: '/old', before: file('o2'), saved: '2-old', after: file('o1')}]);
    const second = mergeRecord(first, last, []);
    expect(mergeRecord(second, last, [])).to.equal(second);
  });

  it('keeps what takes back a command that lasts, until that was run', () => {
    const enable = {
      kind: 'command',
      argv: ['enable'],
      lasting: {before: ['off'], after: ['forget']},
      why: '',
    } as const;
    const other = {kind: 'command', argv: ['other'], lasting: {after: ['away']}, why: ''} as const;
    const plain = (...argv: string[]) => ({kind: 'command', argv, why: ''}) as const;
    const run = (id: string, old: OwnershipRecord | undefined, ...commands: Journal['commands']) =>
      mergeRecord(old, {...journal(id, []), commands}, []);
    const both = run('2', run('1', undefined, enable, other), plain('reload'), plain('forget'));
    expect(both.lasting).to.deep.equal([
      {before: ['off'], after: ['forget'], argv: ['enable']},
      {after: ['away'], argv: ['other']},
    ]);
    const one = run('3', both, plain('off'), plain('forget'));
    expect(one.lasting).to.deep.equal([{after: ['away'], argv: ['other']}]);
    expect(run('4', one, plain('away'))).to.not.have.property('lasting');
    expect(run('4', both, plain('off'), enable).lasting).to.have.length(2);
  });

  it('takes a step without an end for one that changed nothing', () => {
    expect(mergeRecord(undefined, journal('1', [{path: '/x', before: file('x')}]), []).changes).to.deep.equal(
      [],
    );
  });

  describe('read', () => {
    const host = new LocalHost();
    let dataDir: string;

    beforeEach(() => {
      dataDir = temporaryTree();
    });

    afterEach(() => rmSync(dataDir, {recursive: true}));

    const put = (content: string): void => writeFileSync(join(dataDir, 'record.json'), content);

    it('gives what was written, or nothing', async () => {
      expect(await readRecord(host, dataDir)).to.equal(undefined);
      put(JSON.stringify(first));
      expect(await readRecord(host, dataDir)).to.deep.equal(first);
    });

    it('refuses what is cut off or of another shape', async () => {
      const whole = JSON.stringify(first);
      const odd = [
        '',
        whole.slice(0, -1),
        'null',
        '[]',
        '{"version":1}',
        JSON.stringify({...first, version: 0}),
        JSON.stringify({...first, made: 'x'}),
        JSON.stringify({...first, settings: null}),
        JSON.stringify({...first, changes: [{path: '/x', before: {kind: 'what'}, after: ABSENT}]}),
        JSON.stringify({...first, changes: [{path: '/x', before: ABSENT, after: 'absent'}]}),
      ];
      for (const content of odd) {
        put(content);
        const error: unknown = await readRecord(host, dataDir).catch((reason: unknown) => reason);
        expect(error, content).to.include({code: 'HOST_UNSUITABLE'});
        expect((error as Failure).message, content).to.include('is damaged');
      }
    });

    it('leaves the record of a newer version to that version', async () => {
      put('{"version":2,"anything":"else"}');
      const error: unknown = await readRecord(host, dataDir).catch((reason: unknown) => reason);
      expect((error as Failure).message).to.include('written by a newer agentless');
    });
  });
});
