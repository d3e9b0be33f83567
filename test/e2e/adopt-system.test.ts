// The stock configuration of a system names no host key: Teleport's line for its own one has taken every other out of service.

import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {type FormerHost, joinByTeleport} from '../support/former-join.js';
import {servedKeys} from '../support/served-keys.js';
import {skip} from '../support/skip.js';
import {envelope} from '../support/stage.js';
import {SystemStage} from '../support/system-stage.js';

const CONFIG = '/etc/ssh/sshd_config';

describe("adopt, on the system's sshd", function () {
  this.timeout(60_000);
  let stage: SystemStage;
  let former: FormerHost;

  before(async function () {
    const started = await SystemStage.start();
    if (started === undefined) skip(this, 'needs root and mount namespaces');
    stage = started;
    const {cluster, port} = stage;
    former = await joinByTeleport(
      {cluster, port, config: CONFIG, at: (path) => stage.path(path)},
      '/var/lib/teleport',
    );
    await stage.reload();
  });
  after(() => stage?.stop());

  const plain = (line: string) => line.split(' ').slice(0, 2).join(' ');
  const served = async () =>
    [...(await servedKeys(stage.port))].filter((line) => !line.includes('-cert-v01')).map(plain);
  const own = (type: string) => plain(stage.read(`/etc/ssh/ssh_host_${type}_key.pub`));
  const adopt = async () => {
    const words = ['adopt', ...stage.words.slice(2), '--json'];
    return envelope(await agentless(words, {input: stage.cluster.token, prefix: stage.space.prefix}));
  };

  it('serves the key that clients know, has the own ones served and certified again, and keeps both when it leaves', async () => {
    const stock = stage.read(CONFIG).replace(/^Include .*\n/, '');
    expect(await served(), 'as Teleport has it').to.deep.equal([former.key]);
    expect((await stage.login()).stdout).to.equal('hello\n');
    expect((await stage.loginByKey()).status, 'a client that knew the own key is turned away').to.not.equal(
      0,
    );

    const {exit, result, stderr, warnings} = await adopt();
    expect(exit, stderr).to.equal(0);
    expect(warnings.join('\n')).to.include(
      `/etc/ssh/ssh_host_ecdsa_key stays out of use: clients know ${former.keyFile}`,
    );
    expect(result.node.id).to.equal(former.id);
    const ed25519 = '/etc/ssh/ssh_host_ed25519_key';
    expect(result.adopted.hostKeys).to.deep.equal([former.keyFile, ed25519]);
    expect(result.certificates.map((one: {key: string}) => one.key)).to.have.members([
      former.keyFile,
      ed25519,
    ]);
    expect(await served()).to.have.members([former.key, own('ed25519')]);
    expect((await stage.login()).stdout).to.equal('hello\n');
    expect((await stage.loginByKey()).stdout, 'and it gets in again').to.equal('hello\n');
    expect((await adopt()).changed).to.equal(false);

    const left = await stage.left();
    expect(left.result).to.deep.include({left: [], adopted: true});
    const lines = `# Host keys that clients know\nHostKey ${former.keyFile}\nHostKey ${ed25519}\n`;
    expect(stage.read(CONFIG)).to.equal(`${lines}${stock}`);
    expect(await served()).to.have.members([former.key, own('ed25519')]);
    expect((await stage.login()).status, 'nobody gets in by the cluster').to.not.equal(0);
    expect((await stage.loginByKey()).stdout).to.equal('hello\n');
    expect(stage.exists('/var/lib/agentless') || stage.exists('/etc/ssh/agentless')).to.equal(false);
    expect(stage.names('/etc/ssh/sshd_config.d')).to.not.include('00-agentless.conf');
  });
});
