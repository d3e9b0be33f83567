// What `renew` and a second join meet that is not as they left it: damaged records and credentials, files replaced by
// pipes and links, clocks that are wrong. A clear error with the right exit code, and nothing is lost.

import {execFileSync} from 'node:child_process';
import {createPrivateKey, createPublicKey, generateKeyPairSync} from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {tlsIssuer} from '../../src/devcluster/authority.js';
import {StateDirectory} from '../../src/devcluster/state-directory.js';
import {issueLeaf} from '../../src/devcluster/x509.js';
import {clientOf, joinRequest} from '../support/cluster-client.js';
import {temporaryCluster} from '../support/dev-cluster.js';
import {inProcess} from '../support/in-process.js';
import {JoinedStage} from '../support/joined-stage.js';
import {schemaNamed, violations} from '../support/json-schema.js';
import {skip} from '../support/skip.js';
import type {Envelope} from '../support/stage.js';
import {snapshot} from '../support/tree.js';

type Answer = Envelope & {readonly exit: number | null};

describe('renew with bad input', () => {
  let joined: JoinedStage;
  before(async () => {
    joined = await JoinedStage.start({cluster: {lag: false, limits: false}});
  });
  after(() => joined.stop());
  afterEach(() => joined.restore());

  const data = (name: string) => join(joined.stage.dataDir, name);
  const edit = (path: string, change: (text: string) => string) =>
    writeFileSync(path, change(readFileSync(path, 'utf8')));
  const tree = async () => ({etc: await joined.stage.host(), data: await snapshot(joined.stage.dataDir)});

  async function run(argv: readonly string[]): Promise<Answer> {
    const {status, stdout, stderr} = await inProcess([...argv, '--json']);
    const envelope = JSON.parse(stdout || '{}') as Envelope;
    expect(envelope.status, `${stdout}${stderr}`).to.equal(status);
    if (envelope.error === undefined && envelope.command === 'renew')
      expect(violations(envelope.result, schemaNamed('renew'))).to.deep.equal([]);
    return {...envelope, exit: status};
  }
  const renew = (...words: string[]) => run(['renew', '--data-dir', joined.stage.dataDir, ...words]);
  const joinAgain = (...words: string[]) => run([...joined.stage.words, ...words]);

  /** Refused by renew, its check and a second join alike, and nothing has changed. */
  async function expectRefused(exit: number, code: string, says: RegExp, hint: RegExp): Promise<void> {
    const before = await tree();
    for (const answer of [await renew('--check'), await renew(), await joinAgain()]) {
      const said = JSON.stringify(answer);
      expect({exit: answer.exit, code: answer.error?.code}, said).to.deep.equal({exit, code});
      expect(answer.error?.message, said).to.match(says);
      expect(answer.error?.hint, said).to.match(hint);
      expect(await tree(), said).to.deep.equal(before);
    }
  }

  describe('the ownership record', () => {
    it('missing: the host is not joined', async () => {
      rmSync(joined.record);
      const {exit, error} = await renew();
      expect({exit, code: error?.code}).to.deep.equal({exit: 3, code: 'NOT_JOINED'});
    });

    it('truncated', async () => {
      truncateSync(joined.record, 200);
      await expectRefused(6, 'HOST_UNSUITABLE', /ownership record .* is damaged/, /backup/);
    });

    it('empty', async () => {
      truncateSync(joined.record, 0);
      await expectRefused(6, 'HOST_UNSUITABLE', /ownership record .* is damaged/, /backup/);
    });

    it('of a newer version', async () => {
      edit(joined.record, (text) => text.replace(/"version": \d+/, '"version": 999'));
      await expectRefused(6, 'HOST_UNSUITABLE', /written by a newer agentless/, /newer/);
    });

    it('a pipe: nobody waits for it', async () => {
      rmSync(joined.record);
      execFileSync('mkfifo', [joined.record]);
      for (const answer of [await renew('--check'), await renew()])
        expect([answer.exit, answer.error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
    });

    it('of another host: says so, for a copy of a disk shares its node with the original', async () => {
      edit(joined.record, (text) => text.replace(/"host": "[^"]*"/, '"host": "elsewhere"'));
      for (const answer of [await renew('--check'), await renew()]) {
        expect(answer.exit).to.equal(0);
        expect(answer.changed).to.equal(false);
        expect(answer.warnings.join()).to.match(/joined as elsewhere and is/);
      }
      expect((await joinAgain()).warnings.join()).to.match(/joined as elsewhere and is/);
      expect((await renew('--repair')).changed, 'it was renamed, says who repairs').to.equal(true);
      expect((await renew()).warnings.join()).to.not.match(/elsewhere/);
    });
  });

  it('a data directory that others may write to', async () => {
    chmodSync(joined.stage.dataDir, 0o777);
    await expectRefused(6, 'HOST_UNSUITABLE', /can be written by others/, /chmod 0700/);
  });

  it('a data directory, or a record in it, of another user: what it says would be done as root', async function () {
    if (process.getuid?.() !== 0) skip(this, 'only root can give files away');
    const trace = join(joined.stage.root, 'trace');
    edit(joined.record, (text) =>
      JSON.stringify({...JSON.parse(text), lasting: [{argv: ['true'], before: ['touch', trace]}]}),
    );
    chownSync(joined.record, 65534, 65534);
    await expectRefused(
      6,
      'HOST_UNSUITABLE',
      /record\.json belongs to another user \(uid 65534\)/,
      /look who did that/,
    );
    chownSync(joined.stage.dataDir, 65534, 65534);
    await expectRefused(6, 'HOST_UNSUITABLE', /data directory .* belongs to another user/, /chown 0 /);
    expect(existsSync(trace)).to.equal(false);
  });

  describe('the identity', () => {
    const identity = (name: string) => data(`identity/${name}`);

    it('missing', async () => {
      rmSync(identity('key.pem'));
      await expectRefused(
        6,
        'HOST_UNSUITABLE',
        /identity of this node is missing/,
        /join again with a token/,
      );
    });

    for (const name of ['key.pem', 'cert.pem'])
      it(`truncated: ${name}`, async () => {
        truncateSync(identity(name), 100);
        await expectRefused(
          6,
          'HOST_UNSUITABLE',
          /identity of this node .*is damaged/,
          /join again with a token/,
        );
      });

    for (const [what, spoil] of [
      ['truncated', (text: string) => text.slice(0, 100)],
      ['damaged', (text: string) => text.replace(/M[A-Za-z0-9+/]{20}/, 'AAAA')],
    ] as const)
      it(`authorities that are ${what}: fetched again under the web certificate`, async () => {
        const whole = readFileSync(identity('authorities.pem'), 'utf8');
        edit(identity('authorities.pem'), spoil);
        expect((await renew('--check')).exit).to.equal(3);
        expect((await renew()).changed).to.equal(true);
        expect(readFileSync(identity('authorities.pem'), 'utf8')).to.equal(whole);
      });

    it('a key and a certificate that do not belong together', async () => {
      const {privateKey} = generateKeyPairSync('ec', {namedCurve: 'P-256'});
      writeFileSync(identity('key.pem'), privateKey.export({type: 'pkcs8', format: 'pem'}));
      await expectRefused(
        6,
        'HOST_UNSUITABLE',
        /identity of this node .*is damaged/,
        /join again with a token/,
      );
    });

    it('of another cluster: it is not accepted', async () => {
      await using other = await temporaryCluster();
      await using client = clientOf(other);
      const {identity: foreign} = await client.join(joinRequest(other.token));
      writeFileSync(identity('key.pem'), foreign.key.reveal());
      writeFileSync(identity('cert.pem'), foreign.certificate);
      writeFileSync(identity('authorities.pem'), foreign.authorities.join(''));
      const before = await tree();
      const {exit, error} = await renew();
      expect([exit, error?.code]).to.deep.equal([4, 'REQUEST_REFUSED']);
      expect(error?.hint).to.equal('join again with a token');
      expect(await tree()).to.deep.equal(before);
    });

    it('expired: not accepted, join again with a token, and that helps', async () => {
      edit(identity('cert.pem'), () => leaf(joined, -20 * DAY, -10 * DAY));
      const before = await tree();
      for (const answer of [await renew('--check'), await renew(), await joinAgain()]) {
        expect([answer.exit, answer.error?.code], JSON.stringify(answer)).to.deep.equal([
          4,
          'REQUEST_REFUSED',
        ]);
        expect(answer.error?.hint).to.equal('join again with a token');
        expect(await tree()).to.deep.equal(before);
      }
      const [id] = joined.stage.cluster.nodes().map((node) => node.id);
      const {exit, changed, stderr} = await joined.stage.joinJson();
      expect([exit, changed], stderr).to.deep.equal([0, true]);
      expect(joined.stage.cluster.nodes().map((node) => node.id)).to.deep.equal([id]);
      expect((await renew()).changed).to.equal(false);
    });

    it('close to its end: it gets a new one for the same key', async () => {
      edit(identity('cert.pem'), () => leaf(joined, -20 * DAY, 5 * DAY));
      const key = readFileSync(identity('key.pem'), 'utf8');
      const {exit, result} = await renew('--check');
      expect([exit, result.due.length], JSON.stringify(result)).to.deep.equal([3, 1]);
      expect(result.due[0]).to.match(/own certificate: it ends on/);
      expect((await renew()).changed).to.equal(true);
      expect(readFileSync(identity('key.pem'), 'utf8')).to.equal(key);
      expect((await renew('--check')).exit).to.equal(0);
    });
  });

  describe('files that sshd reads', () => {
    const users = () => join(joined.ours, 'trusted_user_ca_keys');
    const certificate = () => join(joined.ours, 'ssh_host_ed25519_key-cert.pub');

    it('the user CA file is a pipe: nobody waits for it', async () => {
      rmSync(users());
      execFileSync('mkfifo', [users()]);
      for (const answer of [await renew('--check'), await renew(), await joinAgain()]) {
        expect([answer.exit, answer.error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
        expect(answer.error?.message).to.include('neither a file nor a directory');
      }
      expect(lstatSync(users()).isFIFO()).to.equal(true);
    });

    for (const [what, path] of [
      ['user CA file', users],
      ['certificate', certificate],
    ] as const) {
      it(`the ${what} is a symbolic link: it stays one, and what it points to is kept up to date`, async () => {
        const real = joined.at('etc/elsewhere');
        renameSync(path(), real);
        symlinkSync(real, path());
        expect((await renew('--check')).result.due).to.deep.equal([]);
        expect((await renew()).changed).to.equal(false);
        writeFileSync(real, '');
        expect((await renew('--check')).exit).to.equal(3);
        expect((await renew()).changed).to.equal(true);
        expect(lstatSync(path()).isSymbolicLink()).to.equal(true);
        expect(readFileSync(real, 'latin1')).to.match(/AAAA/);
        await joined.reload();
      });

      it(`the ${what} is a link that leads nowhere`, async () => {
        rmSync(path());
        symlinkSync(joined.at('etc/nothing'), path());
        await expectRefused(6, 'HOST_UNSUITABLE', /symbolic link to .* cannot be reached/, /remove the link/);
      });

      it(`the ${what} is a directory`, async () => {
        rmSync(path());
        mkdirSync(path());
        await expectRefused(6, 'HOST_UNSUITABLE', /is a directory, not a file/, /move it away/);
      });
    }

    for (const [what, spoil] of [
      ['cut off', () => truncateSync(certificate(), 60)],
      ['empty', () => truncateSync(certificate(), 0)],
      ['missing', () => rmSync(certificate())],
      ['something else', () => writeFileSync(certificate(), 'ssh-ed25519-cert-v01@openssh.com AAAA\n')],
    ] as const)
      it(`a certificate that is ${what}: due, and made anew`, async () => {
        spoil();
        const {exit, result, error} = await renew('--check');
        expect([exit, result?.due?.length], JSON.stringify([error, result])).to.deep.equal([3, 1]);
        expect(result.due[0]).to.match(
          /^ed25519: (there is no certificate yet|the certificate cannot be read)/,
        );
        expect((await renew()).changed).to.equal(true);
        expect((await renew()).changed).to.equal(false);
      });
  });
});

const DAY = 86_400_000;

/** A client certificate for the key of this node, valid from and to, in milliseconds from now; signed by the cluster. */
function leaf({stage}: JoinedStage, from: number, to: number): string {
  const {name, authorities} = new StateDirectory(stage.cluster.dir).requireCluster();
  const key = readFileSync(join(stage.dataDir, 'identity/key.pem'));
  const now = Date.now();
  return issueLeaf(tlsIssuer(authorities.host), {
    subject: [
      ['organization', 'Node'],
      ['commonName', `${stage.cluster.nodes()[0]?.id}.${name}`],
      ['teleportCluster', name],
    ],
    publicKey: createPublicKey(createPrivateKey(key)),
    names: [],
    validFrom: new Date(now + from),
    validTo: new Date(now + to),
  });
}
