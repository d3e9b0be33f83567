import {expect} from 'chai';
import fc from 'fast-check';
import {FOREVER, parseCertificate, signCertificate} from '../../../src/ssh/certificate.js';
import {publicBlob} from '../../../src/ssh/key.js';
import {authInfo, FLAVOURS, type Flavour, installed, PamScene, type Run} from '../../support/pam-scene.js';
import {skip} from '../../support/skip.js';
import {KEYS, keyNamed} from '../ssh/keygen.js';
import {KEY_PARTS, rawCertificate, teleportExtensions} from './user-certificates.js';

const flavours = FLAVOURS.filter(({shell: [shell = ''], tools}) => installed(shell) && installed(tools));

/** What a shell or an awk might take for something else. */
const HOSTILE = [
  ...[
    '$(touch /run/agentless-pwned)',
    '`id`',
    '$HOME',
    '*',
    '/etc/*',
    '?',
    '[a-z]',
    '~',
    '!!',
    '#',
    ';',
    '&',
    '|',
  ],
  ...[
    '"',
    "'",
    '\\',
    '\\n',
    '\\0101',
    '\\c',
    '%s',
    '%%',
    '-e',
    '-n',
    '--',
    '=',
    '<(id)',
    '\n',
    '\n\n',
    '\r',
    '\t',
    ' ',
  ],
  ...[
    'TELEPORT_ROLES admin',
    '\nTELEPORT_ROLES admin',
    'left-out x',
    '\u0001',
    '\u001b[31m',
    '\u007f',
    '\u0085',
    '\u00a0',
  ],
  ...['é', '日本', '👩‍🚀', '\u2028', '\ufeff', '\ud800', '0', '010', '1e3', ' -1'],
];
const text = fc
  .array(fc.oneof(fc.constantFrom(...HOSTILE), fc.string({unit: 'binary', maxLength: 6})), {maxLength: 5})
  .map((parts) => parts.join('').replaceAll('\0', ''));
const bytes = fc
  .oneof(
    text.map((value) => new Uint8Array(Buffer.from(value))),
    fc.uint8Array({min: 1, maxLength: 20}),
  )
  .map((value) => (value.length === 0 ? new Uint8Array() : value));

/** The roles in one of the many ways to write JSON, with the list itself as written. */
const json = (roles: readonly string[]) =>
  fc
    .constantFrom<(list: string) => [before: string, list: string, after: string]>(
      (list) => ['{"roles":', list, '}'],
      (list) => ['{"version":"v1","roles":', list, '}'],
      (list) => [
        ' {\n"a" : {"roles":["no", {"b":[]}]},\t"x\\"roles":[1,-2.5e3,true,null],\r"roles" : ',
        list,
        ' , "":"" } \n',
      ],
      (list) => ['{"roles":["before"],"rol\\u0065s":', list, '}'],
    )
    .chain((frame) =>
      fc
        .constantFrom(
          JSON.stringify(roles),
          JSON.stringify(roles, undefined, '\t'),
          JSON.stringify(roles).replaceAll('/', '\\/'),
          `[${roles.map((role) => `"${role.replace(/[\s\S]/g, escaped)}"`).join(', ')}]`,
        )
        .map((list) => frame(list)),
    );

const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

const asOneName = (role: string) => role !== '' && !/[\0- \u007f]/.test(role);

function seen(run: Run): Record<string, string> {
  expect(run.seen, run.log).to.have.length(1);
  return Object.fromEntries(
    [...(run.seen[0] ?? [])].map(([name, value]) => [name, value.toString('latin1')]),
  );
}

const latin1 = (value: string | Uint8Array) => Buffer.from(value).toString('latin1');

describe('exec script: certificates', () => {
  let scene: PamScene;
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'hooks have to be root’s');
    scene = new PamScene();
    scene.recorder();
  });
  after(() => scene?.[Symbol.dispose]());

  const login = (certificate: string, flavour?: Flavour) =>
    scene.run({SSH_AUTH_INFO_0: authInfo(certificate)}, flavour);

  for (const [type, key] of Object.entries(KEYS)) {
    it(`of ${type} keys are read as our own reader reads them`, () => {
      const line = signCertificate(
        {
          type: 'user',
          key: publicBlob(key),
          keyId: `${type}@example.com`,
          principals: ['root', '-teleport-internal-join'],
          validAfter: 0n,
          validBefore: FOREVER,
          criticalOptions: {'force-command': 'teleport-roles'},
          extensions: Object.fromEntries(teleportExtensions([type, 'access'])),
        },
        keyNamed('rsa'),
      );
      const {keyId, extensions} = parseCertificate(line);
      for (const flavour of flavours) {
        expect(seen(login(line, flavour))).to.include({
          TELEPORT_USERNAME: keyId,
          TELEPORT_ROLES: `${type} access`,
          TELEPORT_CLUSTER: extensions.get('teleport-route-to-cluster'),
          TELEPORT_TRAITS: extensions.get('teleport-traits'),
        });
      }
    });
  }

  for (const keyType of Object.keys(KEY_PARTS)) {
    it(`of ${keyType} keys by the layout of OpenSSH`, () => {
      const line = rawCertificate({keyType, keyId: 'bob', extensions: teleportExtensions(['a', 'b'])});
      expect(seen(login(line))).to.include({TELEPORT_USERNAME: 'bob', TELEPORT_ROLES: 'a b'});
    });
  }

  it('bring any bytes to the hook as they are, whatever a shell or an awk could make of them', function () {
    this.timeout(120_000);
    const input = fc
      .tuple(bytes, bytes, bytes, fc.array(text, {maxLength: 4}), fc.constantFrom(...flavours))
      .chain(([keyId, cluster, traits, roles, flavour]) =>
        json(roles).map((list) => ({keyId, cluster, traits, roles, list, flavour})),
      );
    fc.assert(
      fc.property(input, ({keyId, cluster, traits, roles, list, flavour}) => {
        const line = rawCertificate({
          keyId,
          extensions: [
            ['teleport-roles', list.join('')],
            ['teleport-route-to-cluster', cluster],
            ['teleport-traits', traits],
          ],
        });
        const run = login(line, flavour);
        expect([run.status, run.shown]).to.deep.equal([0, '']);
        expect(seen(run)).to.include({
          TELEPORT_USERNAME: latin1(keyId),
          TELEPORT_CLUSTER: latin1(cluster),
          TELEPORT_TRAITS: latin1(traits),
          TELEPORT_ROLES: latin1(roles.filter(asOneName).join(' ')),
          TELEPORT_ROLES_JSON: latin1(list[1]),
          TELEPORT_LOGIN: 'root',
        });
        const lines = run.log.split('\n').slice(0, -1);
        expect(lines.filter((one) => /^role ".*" is left out of TELEPORT_ROLES/.test(one))).to.have.length(
          roles.filter((role) => !asOneName(role)).length,
        );
        expect(run.log).to.match(/^[\n -~]*$/);
      }),
      {numRuns: 40},
    );
  });

  it('bring what is as long as sshd can hand over, in good time', () => {
    const long = 'x\n"\\$é'.repeat(2_700);
    for (const flavour of flavours) {
      const roles = [
        long.replaceAll('\n', ''),
        ...Array.from({length: 1_500}, (_, index) => `role-${index}`),
      ];
      const line = rawCertificate({
        keyId: long,
        extensions: [
          ['teleport-roles', JSON.stringify({roles})],
          ['teleport-traits', JSON.stringify({long})],
        ],
      });
      expect(line.length).to.be.within(100_000, 131_000);
      const run = login(line, flavour);
      expect(seen(run)).to.include({
        TELEPORT_USERNAME: latin1(long),
        TELEPORT_TRAITS: latin1(JSON.stringify({long})),
        TELEPORT_ROLES: latin1(roles.join(' ')),
      });
      expect(run.milliseconds, flavour.tools).to.be.lessThan(5_000);
    }
  });

  describe('without a word of their own', () => {
    it('no roles, traits or cluster are empty ones', () => {
      const run = login(rawCertificate({extensions: [['teleport-roles', '{"roles":null}']]}));
      expect(seen(run)).to.include({
        TELEPORT_ROLES: '',
        TELEPORT_ROLES_JSON: '[]',
        TELEPORT_TRAITS: '{}',
        TELEPORT_CLUSTER: '',
      });
    });

    for (const [what, roles] of Object.entries({
      'no JSON': 'access editor',
      'a list': '["access"]',
      'cut off': '{"roles":["access"]',
      'more than one value': '{"roles":["access"]}{}',
      'a role that is a number': '{"roles":["access",1]}',
      'roles in a string': '{"roles":"access"}',
      'an escape that is none': '{"roles":["\\x41"]}',
      'half an escape': '{"roles":["\\u12"]}',
      'a bare newline': '{"roles":["a\nb"]}',
      'a depth that no role has': `{"a":${'['.repeat(200)}${']'.repeat(200)},"roles":["access"]}`,
    })) {
      it(`roles that cannot be read (${what}) stop all hooks and are a failure`, () => {
        for (const flavour of flavours) {
          const run = login(rawCertificate({extensions: [['teleport-roles', roles]]}), flavour);
          expect([run.status, run.shown, run.seen.length]).to.deep.equal([1, '', 0]);
          expect(run.log).to.equal(
            'no hook runs: the certificate of root has its roles in a form that is not known\n',
          );
        }
      });
    }

    it('a role with NUL cannot be a variable’s, and is left out', () => {
      const run = login(rawCertificate({extensions: [['teleport-roles', '{"roles":["a\\u0000b","c"]}']]}));
      expect(seen(run)).to.include({TELEPORT_ROLES: 'c', TELEPORT_ROLES_JSON: '["a\\u0000b","c"]'});
    });
  });
});
