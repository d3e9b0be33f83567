// What goes wrong when sshd is to take its own configuration again, and later: the host stays joined, wholly.

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {lookAt, type Seen, useReloadStage} from '../support/reload-stage.js';
import type {Envelope, Stage} from '../support/stage.js';

for (const far of [false, true])
  describe(`a leave that fails once sshd is asked to reload${far ? ', through ssh' : ''}`, function () {
    this.timeout(90_000);
    const started = useReloadStage(far);
    let stage: Stage;
    let there: readonly string[];
    let untouched: Awaited<ReturnType<Stage['host']>>;
    let joined: Seen;

    beforeEach(async () => {
      ({stage, there} = started());
      untouched = await stage.host();
      expect((await stage.join()).status).to.equal(0);
      joined = await lookAt(stage);
    });

    async function expectStillJoined(words: readonly string[], says: RegExp): Promise<Envelope> {
      const answer = await stage.leaveJson([...there, ...words]);
      const said = JSON.stringify(answer);
      expect({exit: answer.exit, code: answer.error?.code}, said).to.deep.equal({
        exit: 7,
        code: 'CHANGE_FAILED',
      });
      expect(answer.error?.restored).to.equal(true);
      expect(answer.error?.message).to.match(says);
      expect(await lookAt(stage), said).to.deep.equal(joined);
      expect(stage.cluster.nodes(), said).to.have.length(1);
      expect((await stage.loginByCertificate('web1')).stdout, said).to.equal('hello\n');
      return answer;
    }

    it('a restart command that ends sshd: it is brought back, and the next leave works', async () => {
      const command = `kill "$(cat ${stage.root}/etc/sshd.pid)"`;
      const {error} = await expectStillJoined(['--sshd-restart-command', command], /sshd did not come back/);
      expect(error?.hint).to.include('joined as before');
      expect((await stage.leaveJson(there)).exit).to.equal(0);
      const {'sshd.pid': _, ...etc} = await stage.host();
      const {'sshd.pid': __, ...before} = untouched;
      expect(etc).to.deep.equal(before);
    });

    it('a restart command that fails', async () => {
      const words = ['--sshd-restart-command', 'echo not today >&2; exit 3'];
      const {error} = await expectStillJoined(words, /ended with status 3/);
      expect(error?.hint).to.include('run that command by hand');
    });

    it('a restart command that does nothing: our certificates are still served', async () => {
      const {error} = await expectStillJoined(
        ['--sshd-restart-command', 'true'],
        /does not serve what it served before the join/,
      );
      expect(error?.detail).to.match(/the certificate of the ed25519 key \S+ is still served/);
    });

    it("the administrator's own check says no", async () => {
      const {error} = await expectStillJoined(
        ['--sshd-check-command', 'echo policy violation >&2; false'],
        /your own check: .* ended with status 1/,
      );
      expect(error?.detail).to.include('policy violation');
      expect(error?.hint).to.include('run it by hand');
    });

    it('a change of others right before the end, which nobody meant', async () => {
      const spoil = `echo 'MaxSessions 3' >>${stage.sshd.config}; kill -HUP "$(cat ${stage.root}/etc/sshd.pid)"`;
      const {exit, error} = await stage.leaveJson([...there, '--sshd-restart-command', spoil]);
      expect(exit, 'the file is somebody else’s now, and is left alone').to.equal(8);
      expect(error?.detail).to.include('was changed by somebody else and is left alone');
    });

    it('two leaves at once: one leaves, the other says so or finds it done', async () => {
      const both = await Promise.all([stage.leaveJson(there), stage.leaveJson(there)]);
      const said = JSON.stringify(both);
      expect(
        both.filter(({exit, changed}) => exit === 0 && changed),
        said,
      ).to.have.length(1);
      for (const {exit, error} of both) {
        if (exit === 0) continue;
        expect(exit, said).to.equal(6);
        expect(error?.message, said).to.match(
          /another agentless (is at work|has changed this host)|changed by somebody else/,
        );
      }
      expect(await stage.host(), said).to.deep.equal(untouched);
      expect(existsSync(stage.dataDir), said).to.equal(false);
      expect(stage.cluster.nodes(), said).to.deep.equal([]);
    });

    it('a leave and a join at once: the host is joined or left, wholly', async () => {
      const [left, again] = await Promise.all([stage.leaveJson(there), stage.joinJson(['--labels', 'a=b'])]);
      const said = JSON.stringify([left, again]);
      expect([left.exit, again.exit], said).to.include(0);
      if (existsSync(join(stage.dataDir, 'record.json'))) {
        expect((await stage.loginByCertificate('web1')).stdout, said).to.equal('hello\n');
        expect((await stage.leaveJson(there)).exit).to.equal(0);
      }
      expect(await stage.host(), said).to.deep.equal(untouched);
      expect(existsSync(stage.dataDir), said).to.equal(false);
    });
  });
