import {expect} from 'chai';
import fc from 'fast-check';
import {PlainHeaders} from '../../../src/cluster/plain-headers.js';

// Node's own, kept before anything replaces it: loading this file does not touch it otherwise.
const NodeHeaders =
  Object.getOwnPropertyDescriptor(globalThis, 'Headers')?.get?.call(globalThis) ?? globalThis.Headers;

const name = fc.constantFrom('Content-Type', 'content-type', 'grpc-status', 'X-A', 'x-b');
const value = fc.stringMatching(/^[ -~]{0,12}$/);
const operation = fc.oneof(
  fc.tuple(fc.constant('append' as const), name, value),
  fc.tuple(fc.constant('set' as const), name, value),
  fc.tuple(fc.constant('delete' as const), name, value),
);

describe('plain headers', () => {
  it('behave as the Headers of fetch do', () => {
    const check = fc.property(fc.array(fc.tuple(name, value)), fc.array(operation), (fields, operations) => {
      const [ours, theirs] = [new PlainHeaders(fields), new NodeHeaders(fields)];
      for (const [what, field, text] of operations) {
        for (const headers of [ours, theirs])
          what === 'delete' ? headers.delete(field) : headers[what](field, text);
      }
      expect([...ours]).to.deep.equal([...theirs]);
      expect([...ours.keys()]).to.deep.equal([...theirs.keys()]);
      expect([...ours.values()]).to.deep.equal([...theirs.values()]);
      expect([...ours.entries()]).to.deep.equal([...theirs.entries()]);
      for (const field of ['CONTENT-TYPE', 'x-a', 'absent']) {
        expect(ours.get(field)).to.equal(theirs.get(field));
        expect(ours.has(field)).to.equal(theirs.has(field));
      }
      const seen: string[] = [];
      ours.forEach((text, field) => {
        seen.push(field, text);
      });
      expect(seen).to.deep.equal([...ours].flat());
    });
    fc.assert(check);
  });

  it('are made of records and of other headers too', () => {
    const headers = new PlainHeaders({'X-A': ' 1 ', b: '2'});
    expect([...new PlainHeaders(headers)]).to.deep.equal([
      ['b', '2'],
      ['x-a', '1'],
    ]);
  });
});
