import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Glance} from '../../../../src/host/glance.js';
import {LocalHost} from '../../../../src/host/local.js';
import {fingerprintOf, judgeTrustedKeys} from '../../../../src/operations/status/authorities.js';
import {effectProblems, missingLines} from '../../../../src/operations/status/effect.js';
import {compareFiles} from '../../../../src/operations/status/files.js';
import {intentOf} from '../../../../src/operations/status/intent.js';
import {
  commandsFor,
  kindOf,
  PROBLEM_CODES,
  PROBLEM_KINDS,
  USUAL,
  wordOf,
} from '../../../../src/operations/status/problem.js';
import {describeRival, findRivals, type Rival} from '../../../../src/operations/status/rivals.js';
import {dateOf, isEnding} from '../../../../src/operations/status/validity.js';
import {timerPaths} from '../../../../src/operations/timer/plan.js';
import type {OwnershipRecord} from '../../../../src/plan/record.js';
import {FOREVER} from '../../../../src/ssh/certificate.js';
import {dialectOf, EffectiveConfig, type Tree} from '../../../../src/ssh/sshd-config/index.js';
import {hostKey} from '../../../support/cluster-client.js';
import {schemaNamed} from '../../../support/json-schema.js';
import {placesIn} from '../../../support/timer-scene.js';
import {temporaryTree} from '../../../support/tree.js';

const COMMANDS = commandsFor(USUAL);
const FILE = {kind: 'file', size: 1, sha256: 'x', mode: 0o644, uid: 0, gid: 0} as const;
const ABSENT = {kind: 'absent'} as const;
const record = (changes: readonly [path: string, before: typeof FILE | typeof ABSENT, via?: string][]) =>
  ({
    changes: changes.map(([path, before, via]) => ({path, before, after: FILE, why: '', ...(via && {via})})),
  }) as unknown as OwnershipRecord;
const tree = (files: Readonly<Record<string, string>>): Tree => ({
  main: '/etc/ssh/sshd_config',
  files: new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])),
});

describe('problems', () => {
  it('are a closed list, the same as in the schema, each with a word and a kind', () => {
    const {properties} = schemaNamed('status');
    expect(properties?.['problems']?.items?.properties?.['code']?.enum).to.have.members([...PROBLEM_CODES]);
    for (const code of PROBLEM_CODES) {
      const one = {code, message: '', fix: ''};
      expect(PROBLEM_KINDS).to.include(kindOf(one));
      expect(wordOf(one)).to.match(/^[a-zA-Z ]{2,12}$/);
    }
  });

  it('name commands with the flags that a host needs, and none that it does not', () => {
    expect(COMMANDS.repair).to.equal('sudo agentless renew --repair');
    const spokenFor = commandsFor(USUAL, {identity: 'discarded'});
    expect([spokenFor.renew, spokenFor.repair, spokenFor.timer]).to.deep.equal([
      'sudo agentless renew --identity FILE',
      'sudo agentless renew --repair --identity FILE',
      'sudo agentless renew --remove-timer --identity FILE',
    ]);
    expect(commandsFor(USUAL, {})).to.deep.equal(COMMANDS);
    const elsewhere = commandsFor({dataDir: '/d d', config: '/c'});
    expect(elsewhere.renew, 'which knows its configuration').to.equal(
      "sudo agentless renew --data-dir '/d d'",
    );
    expect(elsewhere.status).to.equal("sudo agentless status --data-dir '/d d' --openssh-config /c");
    const joined = commandsFor({dataDir: USUAL.dataDir}, {config: '/c', proxy: 'p:443'});
    expect(joined.status).to.equal('sudo agentless status');
    expect(joined.join).to.equal(
      'sudo agentless join openssh --proxy-server p:443 --token-file FILE --openssh-config /c',
    );
  });
});

describe('files of ours', () => {
  it('are put back by what has written them: those of the timer by another command than the others', async () => {
    const root = temporaryTree();
    const places = placesIn(root);
    const paths = timerPaths(places);
    mkdirSync(places.units, {recursive: true});
    writeFileSync(paths.service, 'edited');
    mkdirSync(paths.crontab, {recursive: true});
    const changes = record([
      [paths.timer, ABSENT],
      [paths.service, ABSENT],
      [paths.crontab, ABSENT],
      [join(root, 'certificate'), ABSENT],
    ]);
    const judged = {identity: join(root, 'identity'), lost: false};
    const {problems} = await compareFiles(new LocalHost(), changes, judged, COMMANDS, places);
    rmSync(root, {recursive: true});
    expect(problems.map(({code, fix}) => [code, fix])).to.deep.equal([
      ['FILE_MISSING', 'sudo agentless renew --install-timer'],
      ['FILE_CHANGED', 'sudo agentless renew --install-timer'],
      ['FILE_REPLACED', `find out what put it there, move it away, then: ${COMMANDS.timer}`],
      ['FILE_MISSING', COMMANDS.repair],
    ]);
  });
});

describe('the end of a certificate', () => {
  const at = (days: number) => new Date(days * 86_400_000);
  it('is near in the last third', () => {
    expect(isEnding(at(0), at(9), at(5.9))).to.equal(false);
    expect(isEnding(at(0), at(9), at(6.1))).to.equal(true);
    expect(isEnding(at(0), at(9), at(10))).to.equal(true);
  });

  it('may be beyond every calendar', () => {
    expect(dateOf(FOREVER)).to.equal(undefined);
    expect(dateOf(8_640_000_000_001n)).to.equal(undefined);
    expect(dateOf(0n)?.getTime()).to.equal(0);
  });
});

describe('what a record wants', () => {
  it('are certificates, authorities and a drop-in of our own', () => {
    const intent = intentOf(
      record([
        ['/var/lib/agentless/identity/key.pem', ABSENT],
        ['/etc/ssh/agentless/a-cert.pub', ABSENT],
        ['/etc/ssh/agentless/trusted_user_ca_keys', ABSENT],
        ['/etc/ssh/sshd_config.d/00-agentless.conf', ABSENT],
      ]),
      '/etc/ssh/sshd_config',
      '/var/lib/agentless',
    );
    expect(intent).to.deep.equal({
      directory: '/etc/ssh/agentless',
      certificates: ['/etc/ssh/agentless/a-cert.pub'],
      userAuthorities: '/etc/ssh/agentless/trusted_user_ca_keys',
      placed: {
        kind: 'drop-in',
        path: '/etc/ssh/sshd_config.d/00-agentless.conf',
        include: '/etc/ssh/sshd_config.d/*.conf',
      },
    });
  });

  it('or a block in the file of the site, under the name that sshd knows it by', () => {
    const {placed} = intentOf(
      record([['/real/config', FILE, '/etc/ssh/sshd_config']]),
      '/etc/ssh/sshd_config',
      '/d',
    );
    expect(placed).to.deep.equal({kind: 'block', path: '/etc/ssh/sshd_config'});
    expect(intentOf(record([]), '/etc/ssh/sshd_config', '/d').placed).to.equal(undefined);
  });
});

describe('lines that bring ours in', () => {
  const dropIn = {
    kind: 'drop-in',
    path: '/etc/ssh/sshd_config.d/00-agentless.conf',
    include: '/etc/ssh/sshd_config.d/*.conf',
  } as const;
  const block = {kind: 'block', path: '/etc/ssh/sshd_config'} as const;
  const codes = (files: Readonly<Record<string, string>>, placed: typeof dropIn | typeof block | undefined) =>
    missingLines(tree(files), placed, COMMANDS).map(({message}) => message);

  it('are an Include or a block', () => {
    const main = '/etc/ssh/sshd_config';
    expect(codes({[main]: '', [dropIn.path]: ''}, dropIn)).to.deep.equal([]);
    expect(codes({[main]: ''}, dropIn)).to.deep.equal([
      'Include /etc/ssh/sshd_config.d/*.conf in /etc/ssh/sshd_config',
    ]);
    expect(codes({[main]: '# BEGIN agentless (x)\n# END agentless\nPort 22\n'}, block)).to.deep.equal([]);
    expect(codes({[main]: '# BEGIN agentless (x)\nPort 22\n'}, block)).to.have.length(1);
    expect(codes({[main]: ''}, undefined)).to.deep.equal([]);
  });
});

describe('rivals', () => {
  const intent = intentOf(record([['/etc/ssh/agentless/a-cert.pub', ABSENT]]), '/etc/ssh/sshd_config', '/d');
  const trusted = (value: string, options: readonly string[] = []) => {
    const effective = new EffectiveConfig([
      ['trustedusercakeys', [value]],
      ['hostcertificate', intent.certificates],
    ]);
    return {facts: {effective, daemon: {options}}} as unknown as Required<Pick<Glance, 'facts'>>;
  };
  const rivals = (text: string, seen: Required<Pick<Glance, 'facts'>>) =>
    findRivals(
      new LocalHost(),
      {tree: tree({'/etc/ssh/sshd_config': text}), dialect: dialectOf([9, 2]), ...seen},
      intent,
      [],
    );

  it("win from sshd's command line", async () => {
    const [rival] = await rivals('', trusted('/x', ['-o', 'TrustedUserCAKeys=/x', '-o', 'Port=1']));
    expect(rival).to.deep.equal({keyword: 'TrustedUserCAKeys', value: '/x', wins: true});
    expect(describeRival(rival as Rival)).to.equal("TrustedUserCAKeys /x on sshd's command line");
    const [found] = effectProblems(
      {...trusted('/x')} as unknown as Glance,
      intent,
      [rival as Rival],
      false,
      COMMANDS,
    );
    expect(found?.fix).to.equal("take that setting out of sshd's command line and reload sshd");
  });

  it('lose behind ours, and win in a Match block', async () => {
    const text = 'TrustedUserCAKeys /y\nMatch User a\nTrustedUserCAKeys /z\n';
    const found = await rivals(text, trusted(intent.userAuthorities));
    expect(found.map(({value, wins, match}) => [value, wins, match])).to.deep.equal([
      ['/y', false, undefined],
      ['/z', true, 'User a'],
    ]);
  });

  it('are not needed to see that a line of ours has no effect', () => {
    const problems = effectProblems(trusted('none') as unknown as Glance, intent, [], false, COMMANDS);
    expect(problems.map(({code}) => code)).to.deep.equal(['NOT_IN_EFFECT']);
    expect(problems[0]?.detail).to.equal(`TrustedUserCAKeys ${intent.userAuthorities}`);
    expect(effectProblems(trusted('none') as unknown as Glance, intent, [], true, COMMANDS)).to.deep.equal(
      [],
    );
  });
});

describe('trusted keys', () => {
  const [ours, theirs, other] = [hostKey(), hostKey(), hostKey()];
  const file = '/etc/ssh/agentless/trusted_user_ca_keys';
  const trusted = (cluster: string[], own: string[] = []) => ({
    file,
    cluster,
    own,
    text: '# Managed by agentless; undo with: sudo agentless leave\n',
  });
  const codes = (one: ReturnType<typeof trusted>, site?: string) =>
    judgeTrustedKeys(one, site, '/etc/ssh/site_ca', COMMANDS).map(({code}) => code);

  it('are right with those of the cluster and of the site', () => {
    expect(codes(trusted([ours]))).to.deep.equal([]);
    expect(codes(trusted([ours], [`${theirs} site`]), `${theirs} other comment\n`)).to.deep.equal([]);
    expect(codes(trusted([ours]), `${ours}\n`), 'the same key in both').to.deep.equal([]);
  });

  it('lack one that the site has added', () => {
    expect(codes(trusted([ours], [theirs]), `${theirs}\n${other}\n`)).to.deep.equal([
      'SITE_AUTHORITY_MISSING',
    ]);
  });

  it('hold nothing, or something that sshd stops at', () => {
    expect(codes(trusted([]))).to.deep.equal(['AUTHORITIES_UNREADABLE']);
    expect(codes(trusted([ours, 'ssh-dss AAAA']))).to.deep.equal(['AUTHORITIES_UNREADABLE']);
  });

  it('may lie on a security key', () => {
    const line = 'sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t';
    expect(codes(trusted([ours], [line]))).to.deep.equal([]);
    expect(fingerprintOf(line)).to.match(/^SHA256:[A-Za-z0-9+/]{43}$/);
    expect(fingerprintOf('rubbish here')).to.equal('rubbish here');
  });
});
