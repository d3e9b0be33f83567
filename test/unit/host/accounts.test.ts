import {expect} from 'chai';
import {creation, mayHaveMade, type NewAccount, removal} from '../../../src/host/account-commands.js';
import {lookAtAccounts, readAccounts} from '../../../src/host/accounts.js';
import {LocalHost} from '../../../src/host/local.js';

const TEXT = `
@@m uid
0

@@m unwritable

@@m maker
useradd

@@m base
/home

@@m groups
root:x:0:
adm:x:4:syslog,alice
+:::

@@m shells
# /etc/shells: valid login shells
/bin/sh
/bin/bash

@@m account alice
alice:x:1001:1001:Alice, of "Wonder":/home/alice:/bin/bash

@@m group alice
alice:x:1001:

@@m account ada
EXAMPLE\\ada:*:70001:70000:Ada:/home/EXAMPLE/ada:

@@m group ada

@@m account bob

@@m group bob

@@m end
`;

describe('accounts of a host', () => {
  it('are read from the answer of the batch, from whatever source they are', () => {
    expect(readAccounts(TEXT, '@@m', ['alice', 'ada', 'bob'])).to.deep.equal({
      uid: 0,
      unwritable: [],
      maker: 'useradd',
      base: '/home',
      accounts: new Map([
        ['alice', {uid: 1001, gid: 1001, home: '/home/alice', shell: '/bin/bash'}],
        ['ada', {uid: 70_001, gid: 70_000, home: '/home/EXAMPLE/ada', shell: ''}],
      ]),
      alsoGroups: new Set(['alice']),
      groups: [
        {name: 'root', gid: 0, members: []},
        {name: 'adm', gid: 4, members: ['syslog', 'alice']},
      ],
      shells: ['/bin/sh', '/bin/bash'],
    });
  });

  it('may be told of by hardly anything', () => {
    expect(readAccounts('', '@@m', ['alice'])).to.deep.equal({
      uid: -1,
      unwritable: [],
      maker: undefined,
      base: '/home',
      accounts: new Map(),
      alsoGroups: new Set(),
      groups: [],
      shells: undefined,
    });
  });

  it('are those of this machine', async () => {
    const found = await lookAtAccounts(new LocalHost(), ['root', 'nobody-here']);
    expect(found.uid).to.equal(process.getuid?.());
    expect([...found.accounts.keys()]).to.deep.equal(['root']);
    expect(found.accounts.get('root')).to.deep.include({uid: 0, gid: 0});
    expect([...found.alsoGroups]).to.deep.equal(['root']);
    expect(found.groups.map(({name}) => name)).to.include('root');
  });
});

describe('the commands of an account', () => {
  const plain: NewAccount = {login: 'alice', home: 'made', groups: []};
  const full: NewAccount = {
    login: 'alice',
    home: 'left out',
    base: '/srv',
    shell: '/bin/sh',
    primary: 'staff',
    groups: ['adm', 'sudo'],
  };
  const lines = (...args: Parameters<typeof creation>) =>
    creation(...args).map(({argv, input = ''}) => [argv.join(' '), input]);

  it("are one of useradd's", () => {
    expect(lines('useradd', plain)).to.deep.equal([['useradd --create-home --password * -- alice', '']]);
    const words =
      '--no-create-home --base-dir /srv --shell /bin/sh --gid staff --groups adm,sudo --password *';
    expect(lines('useradd', full)).to.deep.equal([[`useradd ${words} -- alice`, '']]);
    expect(removal('useradd', plain, 'with home').argv.join(' ')).to.equal('userdel --remove -- alice');
    expect(removal('useradd', plain, 'without home').argv.join(' ')).to.equal('userdel -- alice');
  });

  it("are several of BusyBox's", () => {
    expect(lines('busybox', plain)).to.deep.equal([
      ['adduser -D -g  -- alice', ''],
      ['chpasswd -e', 'alice:*\n'],
    ]);
    expect(lines('busybox', full)).to.deep.equal([
      ['adduser -D -g  -H -h /srv/alice -s /bin/sh -G staff -- alice', ''],
      ['addgroup -- alice adm', ''],
      ['addgroup -- alice sudo', ''],
      ['chpasswd -e', 'alice:*\n'],
    ]);
    expect(removal('busybox', plain, 'with home').argv.join(' ')).to.equal('deluser --remove-home alice');
    expect(removal('busybox', plain, 'without home').argv.join(' ')).to.equal('deluser alice');
  });

  it('have made nothing where they were refused', () => {
    const lock = 'useradd: cannot lock /etc/passwd; try again later.\n';
    expect(mayHaveMade('useradd', 9, "useradd: user 'alice' already exists")).to.equal(false);
    expect(mayHaveMade('useradd', 6, "useradd: group 'x' does not exist")).to.equal(false);
    expect(mayHaveMade('useradd', 1, lock)).to.equal(false);
    expect(mayHaveMade('useradd', 1, 'useradd: failure while writing changes to /etc/shadow')).to.equal(true);
    expect(mayHaveMade('useradd', 12, 'useradd: cannot create directory /home/alice')).to.equal(true);
    expect(mayHaveMade('busybox', 1, "adduser: user 'alice' in use")).to.equal(false);
    for (const maker of ['useradd', 'busybox'] as const)
      expect(mayHaveMade(maker, undefined, ''), 'killed').to.equal(true);
  });
});
