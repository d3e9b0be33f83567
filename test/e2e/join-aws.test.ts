import {expect} from 'chai';
import {
  ACCOUNT,
  ARN,
  type Authority,
  CALLERS,
  CREDENTIALS,
  CREDENTIALS_ENV,
  INSTANCE,
  instanceAnswers,
  metadataServer,
  newAuthority,
  REGION,
} from '../support/aws.js';
import type {CliOptions} from '../support/cli.js';
import {refused} from '../support/refusal.js';
import {type Envelope, envelope, Stage} from '../support/stage.js';
import {snapshot} from '../support/tree.js';

// Hosts on AWS: the join methods ec2 and iam, with the real program, sshd and ssh.

describe('join openssh on AWS, end to end', () => {
  let stage: Stage;
  let authority: Authority;
  beforeEach(async () => {
    authority = newAuthority();
    const testOnlyAws = {callers: CALLERS, authorities: {[REGION]: authority.certificate}};
    stage = await Stage.quick({cluster: {testOnlyAws}});
  });
  afterEach(() => stage.stop());

  const NOWHERE = {AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1'};
  const SECRETS = [CREDENTIALS.secret, CREDENTIALS.sessionToken];

  const run = async (method: string, token: string, options: CliOptions, words: readonly string[] = []) => {
    const result = await stage.join(['--join-method', method, ...words], {input: token, ...options});
    const said = `${result.stdout}${result.stderr}`;
    for (const secret of [...SECRETS, token]) expect(said).not.to.contain(secret);
    return result;
  };
  const logsIn = async (name: string) => {
    const login = await stage.loginByCertificate(name);
    expect(login.stdout, login.stderr).to.equal('hello\n');
  };

  it('joins an EC2 instance under its own id, and asks AWS nothing the second time', async () => {
    const answers = instanceAnswers(authority);
    await using service = await metadataServer(answers);
    const allow = [{awsAccount: ACCOUNT, awsRegions: [REGION]}];
    const token = stage.cluster.addToken({roles: ['Node'], joinMethod: 'ec2', allow});
    const first = await run('ec2', token, {env: service.env});
    expect(first.status, first.stderr).to.equal(0);
    expect(first.stderr).to.match(new RegExp(`aws +instance ${INSTANCE}, which makes this node ${ACCOUNT}-`));
    const id = `${ACCOUNT}-${INSTANCE}`;
    expect(stage.cluster.nodes().map((node) => node.id)).to.deep.equal([id]);
    await logsIn(`${id}.dev.example`);
    const asked = service.asked.length;
    const again: Envelope = envelope(await run('ec2', token, {env: service.env}, ['--json']));
    expect([again.status, again.changed]).to.deep.equal([0, false]);
    expect(service.asked).to.have.length(asked);
    const document = String(answers['dynamic/instance-identity/rsa2048']);
    expect(first.stderr).not.to.contain(document.slice(0, 40));
  });

  it('joins by the credentials of the instance, which are kept nowhere', async () => {
    await using service = await metadataServer(instanceAnswers(authority));
    const allow = [{awsAccount: ACCOUNT, awsArn: ARN}];
    const token = stage.cluster.addToken({roles: ['Node'], joinMethod: 'iam', allow});
    const {status, stderr} = await run('iam', token, {env: service.env});
    expect(status, stderr).to.equal(0);
    expect(stderr).to.match(/aws +credentials from the instance's role web, region eu-central-1/);
    expect(stage.cluster.nodes()).to.have.length(1);
    await logsIn('web1');
    const kept = JSON.stringify(await snapshot(stage.root));
    expect(kept).to.contain('HostCertificate');
    for (const secret of [...SECRETS, token]) expect(kept).not.to.contain(secret);
  });

  it('shows in a dry run who it would be, and hands in no token', async () => {
    await using service = await metadataServer(instanceAnswers(authority));
    const token = stage.cluster.addToken({roles: ['Node'], joinMethod: 'ec2', allow: [{}]});
    const {status, stdout, stderr} = await run('ec2', token, {env: service.env}, ['--dry-run', '--json']);
    expect(status, stderr).to.equal(0);
    expect(JSON.parse(stdout).result.node.id).to.equal(`${ACCOUNT}-${INSTANCE}`);
    expect(stage.cluster.stats.requests['POST /webapi/host/credentials']).to.equal(undefined);
  });

  for (const method of ['ec2', 'iam'] as const) {
    it(`refuses a host that is not on AWS before anything else (${method})`, async () => {
      const expected = {exit: 6, code: 'HOST_UNSUITABLE'};
      await refused(stage, expected, ['--join-method', method], {env: NOWHERE});
    });
  }

  it('leaves the host alone when AWS does not know the credentials', async () => {
    const token = stage.cluster.addToken({roles: ['Node'], joinMethod: 'iam', allow: [{}]});
    const env = {...CREDENTIALS_ENV, AWS_SECRET_ACCESS_KEY: 'anothersecretkey'};
    const expected = {exit: 4, code: 'REQUEST_REFUSED', says: /not accepted by AWS/};
    const said = await refused(stage, expected, ['--join-method', 'iam'], {token, env, spent: true});
    for (const secret of [...SECRETS, 'anothersecretkey', 'Signature=']) {
      expect(JSON.stringify(said)).not.to.contain(secret);
    }
  });
});
