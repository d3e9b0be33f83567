import {expect} from 'chai';
import {isPlaced, type Placed, place, type Refusal, removed} from '../../../src/pam/index.js';
import {PLAIN, SILENT, STRICT} from './targets.js';

const MARK = '# Managed by agentless; undo with: sudo agentless leave';
const ACCOUNT = `account substack teleport ${MARK}`;
const SESSION = `session substack teleport ${MARK}`;
const ENDED = ' (the line above had no newline)';

type Files = Readonly<Record<string, string>>;

function placing(text: string, includes: Files = {}, target = SILENT, required = false): Placed | Refusal {
  return place(text, {
    service: 'teleport',
    required,
    includes: new Map(Object.entries({teleport: target, ...includes})),
  });
}

/** The text with `A` and `S` in place of our lines; that it can be taken back is checked on the way. */
function placed(text: string, includes: Files = {}, target = SILENT, required = false): string {
  const result = placing(text, includes, target, required);
  if (result.kind === 'refused')
    return `refused: ${result.reason}${result.line ? ` (line ${result.line})` : ''}`;
  expect(removed(result.text)).to.equal(text);
  expect(isPlaced(result.text)).to.equal(true);
  expect(placing(result.text, includes, target, required)).to.deep.equal(result);
  return result.text.replace(ACCOUNT, 'A').replace(SESSION, 'S');
}

const notes = (text: string, includes: Files = {}) => {
  const result = placing(text, includes);
  return result.kind === 'placed' ? result.notes : [result.reason];
};

// The stacks of Debian 12 and of RHEL 9, without most comments.
const DEBIAN: Files = {
  'common-auth': `auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
`,
  'common-account': `account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so
account requisite pam_deny.so
account required pam_permit.so
`,
  'common-session': `session [default=1] pam_permit.so
session requisite pam_deny.so
session required pam_permit.so
session required pam_unix.so
session optional pam_systemd.so
`,
  'common-password': `password [success=1 default=ignore] pam_unix.so obscure
password requisite pam_deny.so
password required pam_permit.so
`,
};

const DEBIAN_SSHD = `@include common-auth
account required pam_nologin.so
@include common-account
session [success=ok ignore=ignore module_unknown=ignore default=bad] pam_selinux.so close
@include common-session
session optional pam_mail.so standard noenv # [1]
# SELinux needs to intervene at login time
session [success=ok ignore=ignore module_unknown=ignore default=bad] pam_selinux.so open
@include common-password
`;

const RHEL: Files = {
  'password-auth': `auth required pam_env.so
auth sufficient pam_unix.so
auth required pam_deny.so
account required pam_unix.so
account sufficient pam_localuser.so
account sufficient pam_usertype.so issystem
account [default=bad success=ok user_unknown=ignore] pam_sss.so
account required pam_permit.so
password sufficient pam_unix.so
session optional pam_keyinit.so revoke
session required pam_limits.so
-session optional pam_systemd.so
session [success=1 default=ignore] pam_succeed_if.so service in crond quiet use_uid
session required pam_unix.so
`,
  postlogin: `session [success=1 default=ignore] pam_succeed_if.so service !~ gdm* service !~ su* quiet
session [default=1] pam_lastlog.so nowtmp silent
session optional pam_lastlog.so silent noupdate showfailed
`,
};

const RHEL_SSHD = `#%PAM-1.0
auth       substack     password-auth
account    required     pam_nologin.so
account    include      password-auth
password   include      password-auth
# pam_selinux.so close should be the first session rule
session    required     pam_selinux.so close
session    required     pam_loginuid.so
# pam_selinux.so open should only be followed by sessions to be executed in the user context
session    required     pam_selinux.so open env_params
session    required     pam_namespace.so
session    include      password-auth
session    include      postlogin
`;

const ENDS = 'account required a.so\nsession required b.so\n';
const PLACED = 'account required a.so\nA\nsession required b.so\nS\n';

describe('our two lines', () => {
  it('go behind the last account rule and before pam_selinux opens, on Debian', () => {
    const expected = DEBIAN_SSHD.replace('common-account\n', 'common-account\nA\n').replace(
      '# [1]\n',
      '# [1]\nS\n',
    );
    for (const target of [SILENT, PLAIN]) expect(placed(DEBIAN_SSHD, DEBIAN, target)).to.equal(expected);
  });

  it('go before the stack that ends for local users, and before pam_selinux opens, on RHEL', () => {
    const expected = RHEL_SSHD.replace('account    include', 'A\naccount    include').replace(
      'pam_loginuid.so\n',
      'pam_loginuid.so\nS\n',
    );
    expect(placed(RHEL_SSHD, RHEL)).to.equal(expected);
    expect(placed(RHEL_SSHD, RHEL, STRICT, true)).to.equal(expected);
    expect(notes(RHEL_SSHD, RHEL)).to.deep.equal([
      'our account rules run for a login that line 3 denied: pam goes on from there',
      'our account rules run before line 4 can deny the login',
    ]);
  });

  it('are not written where they would let in a login for which no rule speaks today', () => {
    const reason = 'with the rules of "teleport" in it, pam would not answer every login as before';
    expect(placed(RHEL_SSHD, RHEL, PLAIN)).to.equal(
      `refused: no place for our session line: ${reason} (line 8)`,
    );
    const sufficient =
      'account sufficient pam_ldap.so\naccount sufficient pam_unix.so\nsession required pam_unix.so\n';
    expect(placed(sufficient, {}, PLAIN)).to.equal(
      `refused: no place for our account line: ${reason} (line 2)`,
    );
    expect(placed(sufficient)).to.equal(`A\n${sufficient}S\n`);
  });

  const stacks: readonly [why: string, text: string, expected: string, includes?: Files][] = [
    ['each behind its own rules', ENDS, PLACED],
    [
      'whatever the order of the types',
      'session required b.so\nauth required c.so\naccount required a.so\npassword required d.so\nsession required e.so\n',
      'session required b.so\nauth required c.so\naccount required a.so\nA\npassword required d.so\nsession required e.so\nS\n',
    ],
    [
      'above a rule that ends the stack',
      `account sufficient z.so\n${ENDS}`,
      `A\naccount sufficient z.so\n${ENDS}S\n`,
    ],
    [
      'above [default=done]',
      'account required a.so\naccount [default=done] z.so\naccount required pam_deny.so\nsession required b.so\n',
      'account required a.so\nA\naccount [default=done] z.so\naccount required pam_deny.so\nsession required b.so\nS\n',
    ],
    [
      'behind a substack that ends for itself',
      `account substack x\n${ENDS}`,
      `account substack x\n${PLACED}`,
      {x: 'account sufficient z.so\naccount required y.so\n'},
    ],
    [
      'at the target of a jump, which stays the same',
      'account [success=1 default=ignore] z.so\naccount requisite pam_deny.so\nsession required b.so\n',
      'account [success=1 default=ignore] z.so\naccount requisite pam_deny.so\nA\nsession required b.so\nS\n',
    ],
    [
      'above a jump that goes too far',
      'account [success=2 default=ignore] z.so\naccount required y.so\nsession required b.so\n',
      'A\naccount [success=2 default=ignore] z.so\naccount required y.so\nsession required b.so\nS\n',
    ],
    [
      'behind what the last rule of an include jumps over',
      'account include x\naccount required z.so\naccount sufficient y.so\nsession required b.so\n',
      'account include x\naccount required z.so\nA\naccount sufficient y.so\nsession required b.so\nS\n',
      {x: 'account [success=1 default=ignore] w.so\n'},
    ],
    [
      'below comments that look like rules',
      `#account required z.so\n${ENDS}#session required z.so\n`,
      `#account required z.so\n${PLACED}#session required z.so\n`,
    ],
    [
      'behind "-" types',
      '-account required a.so\n-session required b.so\n',
      '-account required a.so\nA\n-session required b.so\nS\n',
    ],
    [
      'among quoted, bracketed and tabbed arguments',
      'account\trequired\tpam_exec.so [/a b] "c d"  \n  session  required /lib64/security/$ISA/pam_x.so\t\n',
      'account\trequired\tpam_exec.so [/a b] "c d"  \nA\n  session  required /lib64/security/$ISA/pam_x.so\t\nS\n',
    ],
    [
      'behind a continued rule',
      'account required \\\n  a.so \\\n  x\nsession required b.so\n',
      'account required \\\n  a.so \\\n  x\nA\nsession required b.so\nS\n',
    ],
    [
      'with CR LF where the file has it',
      '#%PAM-1.0\r\naccount required a.so x\r\nsession required b.so # y\r\n',
      '#%PAM-1.0\r\naccount required a.so x\r\nA\r\nsession required b.so # y\r\nS\r\n',
    ],
    ['where #%PAM-1.0 is not the first line', `\n${ENDS}#%PAM-1.0\n`, `\n${PLACED}#%PAM-1.0\n`],
    [
      "behind another tool's block",
      'account required a.so\n# BEGIN ANSIBLE MANAGED BLOCK\naccount required c.so\nsession required b.so\n# END ANSIBLE MANAGED BLOCK\n',
      'account required a.so\n# BEGIN ANSIBLE MANAGED BLOCK\naccount required c.so\nsession required b.so\n# END ANSIBLE MANAGED BLOCK\nA\nS\n',
    ],
    [
      "above another tool's block that is never closed",
      '# BEGIN x\naccount required a.so\nsession required b.so',
      'A\nS\n# BEGIN x\naccount required a.so\nsession required b.so',
    ],
    [
      'before pam_selinux in an include',
      'account required a.so\nsession required b.so\nsession include x\n',
      'account required a.so\nA\nsession required b.so\nS\nsession include x\n',
      {x: 'session required pam_selinux.so\nsession required c.so\n'},
    ],
  ];
  for (const [why, text, expected, includes] of stacks) {
    it(`go ${why}`, () => {
      expect(placed(text, includes)).to.equal(expected);
    });
  }

  it('glue nothing where the last line has no end, and leave it without', () => {
    expect(placed('account required a.so\nsession required b.so')).to.equal(
      `account required a.so\nA\nsession required b.so\nS${ENDED}\n`,
    );
    expect(placed('@include x', {x: ENDS})).to.equal(`@include x\nA${ENDED}\nS\n`);
    const block = 'account required a.so\n# BEGIN x\nsession required b.so\n# END x';
    expect(placed(block)).to.equal(
      `account required a.so\nA\n# BEGIN x\nsession required b.so\n# END x\nS${ENDED}\n`,
    );
    expect(placed('#\r\naccount required a.so x\r\nsession required b.so')).to.equal(
      `#\r\naccount required a.so x\r\nA\r\nsession required b.so\nS${ENDED}\r\n`,
    );
  });

  const refusals: readonly [text: string, expected: string, includes?: Files][] = [
    ['', 'has no account rule, so pam takes those of "other", and one line of ours would end that'],
    [
      'account required a.so\n',
      'has no session rule, so pam takes those of "other", and one line of ours would end that',
    ],
    [
      'account include x\nsession required b.so\n',
      'has no account rule, so pam takes those of "other", and one line of ours would end that',
      {x: 'session required b.so\n'},
    ],
    [`bogus\n${ENDS}`, 'line 1 is no rule that pam can use: "bogus" is no type of rule (line 1)'],
    [`${ENDS}session required`, 'line 3 is no rule that pam can use: no module (line 3)'],
    [
      `account include x\n${ENDS}`,
      'line 1 is no rule that pam can use: includes "x", which cannot be read (line 1)',
    ],
    [
      'account required a.so\r\nsession required b.so\r\n',
      'line 1 is no rule that pam can use: pam takes the carriage return at the end for a part of "a.so" (line 1)',
    ],
    [`${ENDS}\r\n`, 'line 3 is no rule that pam can use: "" is no type of rule (line 3)'],
    [`session include teleport\n${ENDS}`, 'line 1 includes "teleport" already, and is not ours (line 1)'],
    [
      'account required a.so\nsession required pam_selinux.so open\nsession required pam_selinux.so close\n',
      'no place for our session line: pam_selinux open has to come last (line 2)',
    ],
    [
      'account required a.so\n# BEGIN x\nsession required pam_selinux.so close\nsession required b.so',
      'no place for our session line: line 4 is within a block that another tool has marked as its own (line 4)',
    ],
    [
      'account required a.so\nsession [success=2 default=ignore] c.so\nsession required pam_selinux.so close\nsession required pam_selinux.so open\nsession required b.so\n',
      'no place for our session line: line 2 jumps over the place, and would end up elsewhere (line 2)',
    ],
    [
      'account required a.so\nsession sufficient pam_permit.so\nsession required pam_selinux.so close\n',
      'no place for our session line: line 2 ends the stack, and what stands below is never reached (line 2)',
    ],
    [`${ENDS}${SESSION}\n${ACCOUNT}\n${ACCOUNT}\n`, 'is a line of ours that is there already (line 5)'],
    [`${ENDS}${ACCOUNT}\n#${SESSION}\n`, 'has our mark and is not the line that was placed (line 4)'],
    [
      `${ENDS}${ACCOUNT}\nsession required z.so \\\n${SESSION}\n`,
      'has our mark and is not the line that was placed (line 4)',
    ],
  ];
  for (const [text, expected, includes] of refusals) {
    it(`are not written: ${expected}`, () => {
      expect(placed(text, includes)).to.equal(`refused: ${expected}`);
    });
  }

  it('are not written, if they may deny, above a rule that makes PAM forget it', () => {
    const text = `account required a.so
session required pam_selinux.so close
session required pam_selinux.so open
session [default=reset] c.so
session required b.so
`;
    expect(placed(text, {}, STRICT, true)).to.equal(
      'refused: no place for our session line: a rule further down makes pam forget the no of ours (line 3)',
    );
  });

  const targets: readonly [target: string | undefined, expected: string][] = [
    [undefined, 'there is no "teleport" to include, and pam would deny every login'],
    ['account required pam_permit.so\n', '"teleport" has no session rule'],
    [`${SILENT}@include sshd\n`, '"teleport" includes "sshd", and has to stand on its own here'],
    [`${SILENT}session bogus x.so\n`, '"teleport" cannot be included: cannot read the control at "bogus"'],
    [
      STRICT,
      'no place for our account line: with the rules of "teleport" in it, pam would not answer every login as before',
    ],
  ];
  for (const [target, reason] of targets) {
    it(`are not written when ${reason}`, () => {
      const includes = new Map(target === undefined ? [] : [['teleport', target]]);
      expect(place(ENDS, {service: 'teleport', required: false, includes})).to.include({
        kind: 'refused',
        reason,
      });
    });
  }

  it('say so where a login can get past them', () => {
    const text = `account required a.so
session [success=1 default=ignore] c.so
session sufficient d.so
session required pam_selinux.so close
session required b.so
`;
    expect(notes(text)).to.deep.equal([
      'our account rules run for a login that line 1 denied: pam goes on from there',
      'some logins are let in without passing our session line',
    ]);
  });

  it('stay where somebody has moved them, and move where they are passed by', () => {
    const moved = `${ACCOUNT}\naccount required a.so\nsession required b.so\n${SESSION}\n`;
    expect(placing(moved)).to.include({kind: 'placed', text: moved});
    const passed = `account sufficient z.so\naccount required a.so\n${ACCOUNT}\nsession required b.so\n${SESSION}\n`;
    expect(placing(passed)).to.include({
      text: `${ACCOUNT}\naccount sufficient z.so\naccount required a.so\nsession required b.so\n${SESSION}\n`,
    });
  });

  it('come back where one of them or both were taken out', () => {
    const both = placing(DEBIAN_SSHD, DEBIAN);
    if (both.kind === 'refused') expect.fail(both.reason);
    for (const line of [ACCOUNT, SESSION]) {
      const half = both.text.replace(`${line}\n`, '');
      expect(isPlaced(half)).to.equal(false);
      expect(placing(half, DEBIAN)).to.deep.equal(both);
    }
  });
});

describe('taking our lines out', () => {
  const texts: readonly [why: string, text: string, rest: string][] = [
    ['changes nothing where they are not', 'a\r\n#b\n\nc', 'a\r\n#b\n\nc'],
    ['leaves what others have put around them', `a\n${ACCOUNT}\nb\n${SESSION}\nc\n`, 'a\nb\nc\n'],
    ['glues nothing that was added below', `a\n${ACCOUNT}${ENDED}\nb\n`, 'a\nb\n'],
    ['takes from the line above the end that it did not have', `a\n${ACCOUNT}${ENDED}\n${SESSION}\n`, 'a'],
    ['leaves the end of the line above where an editor has dropped ours', `a\n${ACCOUNT}`, 'a\n'],
    ['takes those that were commented out', `a\n# ${ACCOUNT}\n${MARK}\n`, 'a\n'],
    [
      'leaves rules that carry our mark',
      `session required a.so ${MARK}\n`,
      `session required a.so ${MARK}\n`,
    ],
    ['leaves a line that has become part of another', `a \\\n${ACCOUNT}\nb\n`, `a \\\n${ACCOUNT}\nb\n`],
  ];
  for (const [why, text, rest] of texts) {
    it(why, () => {
      expect(removed(text)).to.equal(rest);
    });
  }

  it('is asked for only where they are', () => {
    expect(isPlaced('account required a.so\n')).to.equal(false);
    expect(isPlaced(`${ACCOUNT}\n`)).to.equal(false);
    expect(isPlaced(`${SESSION}\n${ACCOUNT}\n`)).to.equal(true);
  });
});
