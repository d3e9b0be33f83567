import {expect} from 'chai';
import {dialectOf, editLines, spelledOut, type Tree} from '../../../src/ssh/sshd-config/index.js';

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
const text = (file: Uint8Array) => Buffer.from(file).toString('latin1');
const DIALECT = dialectOf([9, 2]);

describe('lines of a configuration file', () => {
  it('are exchanged by their numbers, and every other byte stays', () => {
    const file = bytes('Include /a\n\xff odd\0\n\tPort 22');
    const edits = new Map([
      [1, ['HostKey /k', 'HostKey /\u00e9']],
      [3, []],
    ]);
    expect(text(editLines(file, edits))).to.equal('HostKey /k\nHostKey /\xc3\xa9\n\xff odd\0\n');
    expect(editLines(file, new Map())).to.deep.equal(file);
  });

  it('get the end of line that the file has', () => {
    expect(text(editLines(bytes('A b\r\nC d\r\n'), new Map([[2, ['E f']]])))).to.equal('A b\r\nE f\r\n');
  });

  it('are spelled out where a file that they include lies elsewhere, or is none any more', () => {
    const tree: Tree = {
      main: '/etc/ssh/sshd_config',
      files: new Map([
        ['/etc/ssh/sshd_config', bytes('Include /etc/ssh/d/*.conf\nInclude /etc/ssh/e/*.conf\n')],
        ['/etc/ssh/d/1.conf', bytes('Match all\n')],
        ['/etc/ssh/d/3.conf', bytes('Port 1\n')],
        ['/etc/ssh/e/4.conf', bytes('Port 2\n')],
      ]),
    };
    const main = tree.files.get(tree.main) ?? new Uint8Array();
    const elsewhere = new Map([
      ['/etc/ssh/d/1.conf', '/run/x/a.conf'],
      ['/etc/ssh/d/2.conf', undefined],
    ]);
    expect(text(spelledOut(tree, main, DIALECT, elsewhere))).to.equal(
      'Include /run/x/a.conf\nInclude /etc/ssh/d/3.conf\nInclude /etc/ssh/e/*.conf\n',
    );
    expect(spelledOut(tree, main, DIALECT, new Map())).to.deep.equal(main);
  });
});
