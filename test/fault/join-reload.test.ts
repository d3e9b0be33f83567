// What goes wrong from the reload on: everything comes back, and sshd serves what it served before.

import {existsSync} from 'node:fs';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {useReloadStage} from '../support/reload-stage.js';
import {servedKeys} from '../support/served-keys.js';
import type {Envelope, Stage} from '../support/stage.js';

type Host = Awaited<ReturnType<Stage['host']>>;

/** A new process has another pid: that is all that may differ after it was brought back. */
function withoutPid({'sshd.pid': _, ...host}: Host): Host {
  return host;
}

for (const far of [false, true])
  describe(`a join that fails once sshd is asked to reload${far ? ', through ssh' : ''}`, function () {
    this.timeout(90_000);
    const hooks: Partial<ClusterOptions> = {};
    const started = useReloadStage(far, hooks);
    let stage: Stage;
    let there: readonly string[];
    let before: Host;
    let keys: ReadonlySet<string>;

    beforeEach(async () => {
      ({stage, there} = started());
      before = await stage.host();
      keys = await servedKeys(stage.sshd.port);
    });

    async function expectRestored(words: readonly string[], says: RegExp): Promise<Envelope> {
      const answer = await stage.joinJson([...there, ...words]);
      const said = JSON.stringify(answer);
      expect({exit: answer.exit, code: answer.error?.code}, said).to.deep.equal({
        exit: 7,
        code: 'CHANGE_FAILED',
      });
      expect(answer.error?.restored).to.equal(true);
      expect(answer.error?.message).to.match(says);
      expect(withoutPid(await stage.host()), said).to.deep.equal(withoutPid(before));
      expect(existsSync(stage.dataDir)).to.equal(false);
      expect(stage.cluster.nodes()).to.deep.equal([]);
      expect(await servedKeys(stage.sshd.port), 'the old keys, and no certificate').to.deep.equal(keys);
      return answer;
    }

    it('a restart command that ends sshd: it is brought back on the old configuration', async () => {
      const command = `kill "$(cat ${stage.root}/etc/sshd.pid)"`;
      const {error} = await expectRestored(['--sshd-restart-command', command], /sshd did not come back/);
      expect(error?.hint).to.include('log');
      expect((await stage.host())['sshd.pid']?.content).to.not.equal(before['sshd.pid']?.content);
      const {exit, changed} = await stage.joinJson(there);
      expect([exit, changed], 'and the next join works').to.deep.equal([0, true]);
    });

    it('a restart command that fails', async () => {
      const words = ['--sshd-restart-command', 'echo not today >&2; exit 3'];
      const {error} = await expectRestored(words, /ended with status 3/);
      expect(error?.detail).to.equal('not today');
      expect(error?.hint).to.include('run that command by hand');
    });

    it('a restart command that does nothing: what was written is not served', async () => {
      await expectRestored(['--sshd-restart-command', 'true'], /does not serve what was written/);
    });

    it("the administrator's own check says no", async () => {
      const {error} = await expectRestored(
        ['--sshd-check-command', 'echo policy violation >&2; false'],
        /your own check: .* ended with status 1/,
      );
      expect(error?.detail).to.include('policy violation');
    });

    it("the administrator's own check says no, without a word", async () => {
      const {error} = await expectRestored(
        ['--sshd-check-command', 'false'],
        /your own check: .* ended with/,
      );
      expect(error).to.not.have.property('detail');
      expect(error?.hint).to.equal(
        `run it by hand to see what it has against the configuration: false ${stage.sshd.config}`,
      );
    });

    it('the cluster does not take the node record, or is gone by then', async () => {
      hooks.testOnlyCall = (name) =>
        name.endsWith('/UpsertNode') ? {code: Code.PermissionDenied, message: 'no more nodes'} : undefined;
      await expectRestored([], /./);
      hooks.testOnlyCall = (name) => (name.endsWith('/UpsertNode') ? 'close' : undefined);
      await expectRestored(['--timeout', '2'], /./);
    });

    it('two joins at once: one wins, the other says so or finds it done', async () => {
      const both = await Promise.all([stage.joinJson(there), stage.joinJson(there)]);
      const said = JSON.stringify(both);
      expect(
        both.some(({exit, changed}) => exit === 0 && changed),
        said,
      ).to.equal(true);
      for (const {exit, error} of both) {
        if (exit === 0) continue;
        expect(exit, said).to.equal(6);
        expect(error?.message, said).to.match(
          /another agentless (is at work|has changed this host)|was changed by somebody else/,
        );
      }
      expect(stage.cluster.nodes(), said).to.have.length(1);
      expect((await stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
      expect((await stage.joinJson(there)).changed).to.equal(false);
    });
  });
