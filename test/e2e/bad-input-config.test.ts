// Configurations under which no certificate would ever be served or accepted: said before anything is touched, with the
// line at fault, and never reported as success.

import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {refused} from '../support/refusal.js';
import {skip} from '../support/skip.js';
import {sshdIsAtLeast} from '../support/sshd-version.js';
import {Stage} from '../support/stage.js';

const REHEARSAL = {exit: 6, code: 'REHEARSAL_FAILED'};

describe('join openssh under a configuration for which certificates are nothing', () => {
  const hooks: Partial<ClusterOptions> = {};
  let stage: Stage;
  let culprit: (line: string, number?: number) => RegExp;

  before(async () => {
    stage = await Stage.quick({cluster: hooks});
    culprit = (line, number = 1) =>
      new RegExp(`^${literal(stage.sshd.config)} line ${number}: ${literal(line)}$`, 'm');
  });
  after(() => stage.stop());

  const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const onTop = (line: string) => (text: string) => `${line}\n${text}`;

  const FATAL: readonly (readonly [string, RegExp])[] = [
    ['HostKeyAlgorithms ssh-ed25519,rsa-sha2-512', /no client could verify this host: HostKeyAlgorithms/],
    [
      'PubkeyAcceptedKeyTypes ssh-ed25519,rsa-sha2-256',
      /PubkeyAcceptedAlgorithms allows no certificate type/,
    ],
    ['CASignatureAlgorithms rsa-sha2-512', /CASignatureAlgorithms leaves out the cluster's authority/],
    ['PubkeyAuthentication no', /PubkeyAuthentication is off/],
    ['AuthenticationMethods password', /AuthenticationMethods never asks for publickey/],
    ['DenyUsers *', /DenyUsers names everybody/],
  ];
  for (const [line, says] of FATAL) {
    it(line, async () => {
      await stage.withConfig(onTop(line), async () => {
        const {error} = await refused(stage, {...REHEARSAL, says, detail: culprit(line)});
        expect(error?.hint).to.include('nothing was changed');
      });
    });
  }

  it('shown to a person, with the line under the error', async () => {
    await stage.withConfig(onTop('PubkeyAuthentication no'), async () => {
      const {stdout, stderr} = await stage.join();
      expect(stdout).to.equal('');
      expect(stderr).to.match(
        /^error: no certificate would be accepted.*\n {7}\/.*sshd_config line 1: PubkeyAuthentication no\nhint: {2}\S/m,
      );
    });
  });

  it('when only the join shows that the authority is of another type than the suite of the cluster', async () => {
    hooks.testOnlyFind = (body) => ({...body, auth: {signature_algorithm_suite: 'legacy'}});
    const line = 'CASignatureAlgorithms rsa-sha2-512,rsa-sha2-256';
    await stage.withConfig(onTop(line), () =>
      refused(stage, {...REHEARSAL, detail: culprit(line)}, [], {spent: true}),
    );
    hooks.testOnlyFind = undefined;
  });

  it('in a dry run as well', async () => {
    await stage.withConfig(onTop('PubkeyAuthentication no'), () => refused(stage, REHEARSAL, ['--dry-run']));
  });

  it('in a file that is included, by its own name and line', async function () {
    if (!sshdIsAtLeast(8, 2)) skip(this, 'this sshd knows no Include');
    const directory = join(stage.root, 'etc/sshd_config.d');
    mkdirSync(directory);
    writeFileSync(join(directory, '50-hardening.conf'), '# from a guide\nHostKeyAlgorithms ssh-ed25519\n');
    await stage.withConfig(onTop(`Include ${directory}/*.conf`), async () => {
      const line = `${literal(directory)}/50-hardening.conf line 2: HostKeyAlgorithms ssh-ed25519`;
      await refused(stage, {...REHEARSAL, detail: new RegExp(`^${line}$`, 'm')});
    });
  });

  describe('for a login that is to be proven', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['DenyUsers LOGIN', /sshd says: User LOGIN .* not allowed because listed in DenyUsers/],
      ['AllowUsers nobody-else', /sshd says: User LOGIN .* not allowed because not listed in AllowUsers/],
      ['AuthorizedPrincipalsFile /nonexistent/%u', /sshd says: .*does not contain an authorized principal/],
    ];
    for (const [pattern, says] of cases) {
      it(pattern, async () => {
        const line = pattern.replace('LOGIN', stage.login);
        await stage.withConfig(onTop(line), async () => {
          const words = ['--prove-login', stage.login];
          const expected = {...REHEARSAL, says: new RegExp(`^${stage.login} would be refused$`)};
          const {error} = await refused(stage, {...expected, detail: culprit(line)}, words);
          expect(error?.detail).to.match(new RegExp(says.source.replace('LOGIN', stage.login)));
        });
      });
    }

    it('root, with PermitRootLogin no', async function () {
      if (process.getuid?.() !== 0) skip(this, 'only root may log in as root');
      const line = 'PermitRootLogin no';
      await stage.withConfig(onTop(line), () =>
        refused(stage, {...REHEARSAL, detail: culprit(line)}, ['--prove-login', 'root']),
      );
    });

    it('a file of revoked keys that does not exist', async () => {
      await stage.withConfig(onTop('RevokedKeys /nonexistent/revoked'), () =>
        refused(stage, REHEARSAL, ['--prove-login', stage.login]),
      );
    });
  });

  it('warns of what depends on the login, with the line, and joins', async () => {
    const line = 'AuthorizedPrincipalsFile /nonexistent/%u';
    await stage.withConfig(onTop(line), async () => {
      const {exit, warnings, stderr} = await stage.joinJson(['--dry-run']);
      expect(exit, stderr).to.equal(0);
      expect(warnings.filter((warning) => culprit(line).test(warning))).to.have.length(1);
    });
  });

  it('refuses an edit of Port that sshd has not read, and warns of one that adds an address', async () => {
    const {port} = stage.sshd;
    const moved = (text: string) => text.replace(`Port ${port}`, `Port ${port === 65535 ? 65534 : port + 1}`);
    await stage.withConfig(moved, async () => {
      const {error} = await refused(stage, {
        exit: 6,
        code: 'HOST_UNSUITABLE',
        says: /has not read its configuration/,
        detail: new RegExp(`listens on   127\\.0\\.0\\.1:${port}$`, 'm'),
      });
      expect(error?.hint).to.match(/reload sshd/);
      const {exit} = await stage.joinJson(['--dry-run', '--no-restart-sshd']);
      expect(exit, 'where nothing is reloaded nothing moves').to.equal(0);
    });
    const added = (text: string) => text.replace('ListenAddress 127.0.0.1', '$&\nListenAddress 127.0.0.2');
    await stage.withConfig(added, async () => {
      const {exit, warnings} = await stage.joinJson(['--dry-run']);
      expect(exit).to.equal(0);
      expect(warnings.join()).to.contain(`sshd will listen on 127.0.0.2:${port} as well`);
    });
  });
});
