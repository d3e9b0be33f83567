// Others have their hands on the host too: flags, edits between crash and recovery, files in our directories.

import {execFileSync} from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../src/errors.js';
import {LocalHost} from '../../src/host/local.js';
import {recover} from '../../src/plan/plan.js';
import {CrashScene} from '../support/crash-scene.js';
import {CONFIG, dataDirIn, RUNNING} from '../support/join-like-plan.js';
import {skip} from '../support/skip.js';

describe('a plan among others', function () {
  this.timeout(60_000);
  const host = new LocalHost();
  let scene: CrashScene;
  let dataDir: string;
  let at: (path: string) => string;

  before(async () => {
    scene = await CrashScene.set(false);
    dataDir = dataDirIn(scene.root);
    at = (path) => join(scene.root, path);
  });

  beforeEach(() => scene.back('before'));

  after(() => scene.clear());

  async function failureOf(work: Promise<unknown>): Promise<Failure> {
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).to.be.an.instanceOf(Failure);
    return error as Failure;
  }

  /** Dies after the given operation of a join; the number of the first of that kind on that path. */
  async function cutAfter(kind: string, path: string): Promise<void> {
    const index = scene.operations.findIndex((each) => each.kind === kind && each.what.endsWith(path));
    expect(index, `${kind} ${path}`).to.be.greaterThan(-1);
    await scene.join(scene.host({at: index + 1, die: 'after'})).catch(() => undefined);
  }

  describe('with an immutable file', () => {
    const flag = (change: '+i' | '-i', path: string): void => {
      execFileSync('chattr', [change, path], {stdio: 'ignore'});
    };

    beforeEach(function () {
      try {
        flag('+i', at(CONFIG));
        flag('-i', at(CONFIG));
      } catch {
        skip(this, 'chattr +i does not work here');
      }
    });

    it('puts everything back, leaves the flag alone and says where to look', async () => {
      flag('+i', at(CONFIG));
      const failure = await failureOf(scene.join(scene.host()));
      flag('-i', at(CONFIG));
      expect(failure).to.include({code: 'CHANGE_FAILED', exitCode: 7, restored: true});
      expect(failure.message).to.include(at(CONFIG)).and.to.include('operation not permitted');
      expect(failure.hint).to.include('lsattr');
      await scene.expectWhole('before', 'immutable');
    });

    it('lists what to do when the flag comes in between, and puts it back once the flag is gone', async () => {
      const lockOut = async (): Promise<void> => {
        flag('+i', at(CONFIG));
        throw new Failure('CLUSTER_UNREACHABLE', 'the cluster is gone', {hint: 'call it back'});
      };
      const failure = await failureOf(scene.join(scene.host(), {beforeCommit: lockOut}));
      expect(failure).to.include({code: 'RESTORE_INCOMPLETE', exitCode: 8, restored: false});
      expect(failure.message).to.include('the cluster is gone');
      const copy = join(dataDir, 'saved/1-sshd_config.site');
      expect(failure.detail).to.include(`cp --preserve=all ${copy} ${at(CONFIG)}`);
      expect(failure.detail).to.include('was not run');
      expect(readFileSync(copy, 'latin1')).to.include('Port 22');
      expect(existsSync(at('etc/ssh/agentless')), 'the rest is back').to.equal(false);
      expect(await failureOf(recover(host, dataDir))).to.include({code: 'RESTORE_INCOMPLETE'});
      flag('-i', at(CONFIG));
      expect((await recover(host, dataDir)).outcome).to.equal('undone');
      await scene.expectWhole('before', 'recovered');
    });
  });

  it('leaves a file alone that somebody has changed after the crash, and keeps what was there before', async () => {
    await cutAfter('run', RUNNING);
    appendFileSync(at(CONFIG), '# mine\n');
    const {outcome, operation, notes, noted} = await recover(host, dataDir);
    expect({outcome, operation, noted}).to.deep.equal({
      outcome: 'undone',
      operation: 'join openssh',
      noted: [],
    });
    expect(notes).to.have.length(1);
    const kept = join(dataDir, 'saved/kept-1-sshd_config.site');
    expect(notes[0])
      .to.include(`${at(CONFIG)} was changed by somebody else`)
      .and.to.include(kept);
    expect(readFileSync(kept, 'latin1')).to.equal(
      '# gr\xfcn\r\nPort 22\n\n\nMatch User x\n'.replace('\xfc', 'Ã¼'),
    );
    expect(readFileSync(at(CONFIG), 'latin1'))
      .to.include('Include first')
      .and.to.include('# mine');
    expect(existsSync(at('etc/ssh/agentless'))).to.equal(false);
    expect(readdirSync(dataDir)).to.deep.equal(['saved']);
    expect((await recover(host, dataDir)).outcome).to.equal('nothing');
    await scene.join(scene.host());
    expect(readdirSync(join(dataDir, 'saved'))).to.include('kept-1-sshd_config.site');
  });

  it('keeps that copy also when the recovery is cut off at any point', async () => {
    await cutAfter('run', RUNNING);
    appendFileSync(at(CONFIG), '# mine\n');
    scene.keep('edited');
    for (let number = 1; ; number++) {
      scene.back('edited');
      const cut = scene.host({at: number, die: 'after'});
      await recover(cut, dataDir).catch(() => undefined);
      await recover(host, dataDir);
      expect(readdirSync(join(dataDir, 'saved')), `cut at ${number}`).to.deep.equal([
        'kept-1-sshd_config.site',
      ]);
      if (!cut.dead) break;
    }
  });

  it('does not call it restored when somebody has changed a file during the run', async () => {
    const meddle = async (): Promise<void> => {
      writeFileSync(at(CONFIG), 'theirs\n');
      throw new Failure('CLUSTER_UNREACHABLE', 'the cluster is gone');
    };
    const failure = await failureOf(scene.join(scene.host(), {beforeCommit: meddle}));
    expect(failure.code).to.equal('RESTORE_INCOMPLETE');
    expect(failure.detail).to.include('was changed by somebody else');
    expect(readFileSync(at(CONFIG), 'utf8')).to.equal('theirs\n');
    expect((await recover(host, dataDir)).notes).to.have.length(1);
  });

  it('leaves a directory that holds something of others', async () => {
    await cutAfter('run', RUNNING);
    writeFileSync(at('etc/ssh/agentless/notes'), '');
    const {notes} = await recover(host, dataDir);
    expect(notes.join()).to.include(`${at('etc/ssh/agentless')} is left because it holds notes`);
    expect(readdirSync(at('etc/ssh/agentless'))).to.deep.equal(['notes']);
    expect(existsSync(dataDir)).to.equal(false);
  });

  it('leaves it when somebody has put a link, or nothing, where a file of ours was', async () => {
    await cutAfter('run', RUNNING);
    rmSync(at(CONFIG));
    rmSync(at('etc/ssh/sshd_config.d'), {recursive: true});
    execFileSync('ln', ['-sf', '/dev/null', at('etc/pam.d/sshd')]);
    const {notes} = await recover(host, dataDir);
    const left = notes.filter((note) => note.includes('was changed by somebody else'));
    expect(left.map((note) => note.split(' ')[0])).to.have.members([
      at(CONFIG),
      at('etc/pam.d/sshd'),
      at('etc/ssh/sshd_config.d'),
    ]);
    expect(notes.join('\n'), 'the reload has no file to load').to.match(/cp .* ended with status 1/);
    expect(existsSync(at(CONFIG))).to.equal(false);
  });

  it('runs the settling command after a crash before its turn: a reboot has loaded the new files', async () => {
    await cutAfter('write', CONFIG);
    writeFileSync(at(RUNNING), readFileSync(at(CONFIG)));
    await recover(host, dataDir);
    await scene.expectWhole('before', 'after a reboot');
  });

  it('gives back what was noted', async () => {
    const index = scene.operations.findIndex(({kind}) => kind === 'run') + 3;
    await scene.join(scene.host({at: index, die: 'after'})).catch(() => undefined);
    expect((await recover(host, dataDir)).noted).to.deep.equal([{registering: 'n-1'}]);
  });

  describe('refuses, and touches nothing, when', () => {
    const journal = (): string => join(dataDir, 'journal.jsonl');

    async function expectRefusal(words: string): Promise<Failure> {
      scene.keep('odd');
      for (const attempt of [() => recover(host, dataDir), () => scene.join(scene.host())]) {
        const failure = await failureOf(attempt());
        expect(failure.code).to.equal('HOST_UNSUITABLE');
        expect(failure.message).to.include(words);
        expect(failure.hint).to.be.a('string');
        const differences = execFileSync('diff', [
          '-r',
          '-x',
          'lock',
          scene.root,
          scene.copyOf('odd'),
        ]).toString();
        expect(differences).to.equal('');
      }
      return failureOf(recover(host, dataDir));
    }

    beforeEach(() => cutAfter('copy', 'saved/2-sshd'));

    it('the journal is of a newer version', async () => {
      writeFileSync(journal(), readFileSync(journal(), 'utf8').replace('"version":1', '"version":2'));
      await expectRefusal('a newer agentless');
    });

    it('the journal is of another host', async () => {
      writeFileSync(
        journal(),
        readFileSync(journal(), 'utf8').replace(/"host":"[^"]*"/, '"host":"elsewhere"'),
      );
      expect((await expectRefusal('written on elsewhere')).hint).to.include(join(dataDir, 'saved'));
    });

    for (const [what, content, words] of [
      ['starts in the middle', '{"line":"commit"}\n', 'it has no header'],
      ['is of something else', 'hello\n', 'line 1 is not one of ours'],
      ['holds a word that is not a line', '"header"\n', 'line 1 is not one of ours'],
      ['has a header without version', '{"line":"header"}\n', 'a newer agentless'],
    ] as const) {
      it(`the journal ${what}`, async () => {
        writeFileSync(journal(), content);
        await expectRefusal(words);
      });
    }

    it('the journal has a line nobody wrote', async () => {
      appendFileSync(journal(), '{"line":"what"}\n');
      await expectRefusal('is not one of ours');
    });

    it('the journal is a directory', async () => {
      rmSync(journal());
      mkdirSync(journal());
      await expectRefusal('it is not a file');
    });

    it('others can write to the data directory', async () => {
      chmodSync(dataDir, 0o770);
      await expectRefusal('can be written by others');
    });
  });

  it('does not join on a record that could not be extended', async () => {
    await scene.join(scene.host());
    writeFileSync(join(dataDir, 'record.json'), '{"version":');
    const failure = await failureOf(scene.join(scene.host(), {}));
    expect(failure.message).to.include('is damaged');
    expect(readdirSync(dataDir)).to.have.members(['identity.json', 'record.json', 'saved']);
  });

  it('keeps all saved copies when the record cannot be read while undoing', async () => {
    await cutAfter('run', RUNNING);
    writeFileSync(join(dataDir, 'record.json'), 'x');
    expect((await recover(host, dataDir)).outcome).to.equal('undone');
    expect(readdirSync(join(dataDir, 'saved'))).to.have.length(3);
  });
});
