import {expect} from 'chai';
import fc from 'fast-check';
import type {Result} from '../../../src/pam/control.js';
import {type Content, parseStack, serializeStack, serviceIncludes} from '../../../src/pam/stack.js';
import {shreds, soundFiles} from './generators.js';

const only = (text: string): Content => {
  const [line, ...others] = parseStack(text).lines;
  if (line === undefined || others.length > 0) throw new Error(`not one line: ${text}`);
  return line.content;
};

/** A rule as words. */
function told(content: Content): string {
  if (content.kind === 'rule') {
    const {silent, type, module, args} = content;
    return [...(silent ? ['-'] : []), type, module, ...args].join(' ');
  }
  if (content.kind === 'include') return [content.how, content.type ?? 'all', content.service].join(' ');
  return content.kind === 'broken' ? `broken ${content.type ?? '?'}: ${content.problem}` : content.kind;
}

/** The actions that a control names, of the results that matter most. */
function actions(control: string): string {
  const content = only(`account ${control} pam_x.so`);
  if (content.kind !== 'rule') return told(content);
  const results: Result[] = ['success', 'new_authtok_reqd', 'ignore', 'user_unknown', 'auth_err'];
  return results.map((result) => content.control[result]).join(' ');
}

describe('a service file', () => {
  const lines: readonly [line: string, told: string][] = [
    ['account required pam_unix.so', 'account pam_unix.so'],
    ['  account\trequired \t pam_unix.so  \t', 'account pam_unix.so'],
    ['ACCOUNT Required pam_unix.so', 'account pam_unix.so'],
    ['-session optional pam_systemd.so', '- session pam_systemd.so'],
    ['session required /lib/security/$ISA/pam_unix.so debug', 'session /lib/security/$ISA/pam_unix.so debug'],
    ['session required pam_unix', 'session pam_unix'],
    ['auth required pam_exec.so [/bin/a b] c\\d', 'auth pam_exec.so /bin/a b c\\d'],
    ['auth required pam_x.so [a\\]b] "c d"', 'auth pam_x.so a]b "c d"'],
    ['session [success=ok default=bad]pam_x.so', 'session pam_x.so'],
    ['account required pam_x.so a#b c', 'account pam_x.so a'],
    ['account required pam_x.so # and pam_deny.so \\', 'account pam_x.so'],
    ['account required \\\n  pam_x.so \\ \t\n a', 'account pam_x.so a'],
    ['account required pam_\\\nx.so', 'account pam_ x.so'],
    ['account required pam_x.so a\r\n', 'account pam_x.so a\r'],
    ['account required pam_x.so # a\r\n', 'account pam_x.so'],
    ['account include password-auth', 'include account password-auth'],
    ['-session SubStack /etc/pam.d/x y z', 'substack session /etc/pam.d/x'],
    ['@include common-auth # why', '@include all common-auth'],
    ['-@Include common-auth', '@include all common-auth'],
    [' \t\n', 'blank'],
    ['#account required pam_x.so', 'comment'],
    ['\t#%PAM-1.0\r\n', 'comment'],
    ['account', 'broken account: no control'],
    ['account required', 'broken account: no module'],
    ['session include # none', 'broken session: include without a name'],
    ['accounts required pam_x.so', 'broken ?: "accounts" is no type of rule'],
    ['\xef\xbb\xbfaccount required pam_x.so', 'broken ?: "???account" is no type of rule'],
    ['\r\n', 'broken ?: "" is no type of rule'],
    [
      'account required pam_x.so\r\n',
      'broken account: pam takes the carriage return at the end for a part of "pam_x.so"',
    ],
    ['account include x\r\n', 'broken account: pam takes the carriage return at the end for a part of "x"'],
    ['account requird pam_x.so', 'broken account: cannot read the control at "requird"'],
    ['account required /lib/', 'broken account: "/lib/" names no module'],
    ['account substack ?', 'broken account: "?" names no file'],
    ['a\0b', 'broken ?: holds a NUL byte'],
    [`#${'x'.repeat(1022)}`, 'broken ?: longer than the 1022 bytes that every release of pam can read'],
    ['a \\', 'broken ?: the file ends in a continued line, for which pam gives up the whole file'],
    [
      'account required \\\n\npam_x.so',
      'broken ?: goes on behind a blank line or comment, which releases of pam read differently',
    ],
  ];
  for (const [line, expected] of lines) {
    it(`reads ${JSON.stringify(line.slice(0, 60))}`, () => {
      expect(told(only(line))).to.equal(expected);
    });
  }

  it('counts the lines that a continued one consists of', () => {
    const {lines: all} = parseStack('#\naccount required \\\n pam_x.so\nsession required pam_y.so');
    expect(all.map(({number}) => number)).to.deep.equal([1, 2, 4]);
  });

  it('names what it includes, each once', () => {
    const text = '@include a\naccount include b\n#@include c\nsession substack a\n';
    expect(serviceIncludes(parseStack(text))).to.deep.equal(['a', 'b']);
  });

  it('gives back any text', () => {
    const latin1 = fc.string({unit: fc.integer({min: 0, max: 255}).map((code) => String.fromCharCode(code))});
    const texts = fc.oneof(
      latin1,
      shreds(),
      soundFiles().map(({main}) => main),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(serializeStack(parseStack(text))).to.equal(text);
      }),
    );
  });
});

describe('a control', () => {
  const controls: readonly [control: string, actions: string][] = [
    ['required', 'ok ok ignore bad bad'],
    ['requisite', 'ok ok ignore die die'],
    ['sufficient', 'done done ignore ignore ignore'],
    ['[optional]', 'ok ok ignore ignore ignore'],
    ['[success=ok new_authtok_reqd=ok ignore=ignore default=bad]', 'ok ok ignore bad bad'],
    ['[success=2 default=ignore]', '2 ignore ignore ignore ignore'],
    ['[default=die success=done]', 'done die die die die'],
    ['[success=ok default=1 default=2 auth_err=reset]', 'ok 1 1 1 reset'],
    ['[ success = 01default=bad ]', '1 bad bad bad bad'],
    ['[]', 'bad bad bad bad bad'],
    ['[success=0]', 'broken account: the control cannot jump by 0'],
    ['[success=2147483648]', 'broken account: the control cannot jump by 2147483648'],
    ['[success=okay]', 'broken account: cannot read the control at "ay"'],
    ['[Success=ok]', 'broken account: cannot read the control at "Success=ok"'],
    ['[success]', 'broken account: cannot read the control at "success"'],
  ];
  for (const [control, expected] of controls) {
    it(`${control} is ${expected}`, () => {
      expect(actions(control)).to.equal(expected);
    });
  }
});
