// A link to a host that is not made, or is gone before anything was begun there.

import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {createServer, type Server} from 'node:net';
import {expect} from 'chai';
import {agentless, type CliResult} from '../support/cli.js';
import {type Forwarder, startForwarder} from '../support/forwarder.js';
import {joinsOf} from '../support/refusal.js';
import {type RemoteStage, startRemoteStage} from '../support/remote-stage.js';
import type {Leaf} from '../support/tree.js';

describe('the link to a host', function () {
  this.timeout(60_000);
  let remote: RemoteStage;
  let before: Record<string, Leaf>;
  const ends: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    await remote?.stop();
  });

  async function start(lines: readonly string[] = []): Promise<void> {
    remote = await startRemoteStage(lines);
    before = await remote.stage.host();
  }

  /** ssh goes through this port from here on. */
  function goBy(port: number): void {
    const config = readFileSync(remote.sshConfig, 'utf8');
    writeFileSync(remote.sshConfig, config.replace(/^Port \d+$/m, `Port ${port}`));
  }

  async function expectNothingBegun(ended: CliResult): Promise<void> {
    const {stage} = remote;
    expect(await stage.host(), ended.stderr).to.deep.equal(before);
    expect(existsSync(stage.dataDir)).to.equal(false);
    expect(joinsOf(stage), 'no token is spent').to.equal(0);
    expect(stage.cluster.nodes()).to.deep.equal([]);
    expect(ended.stderr).not.to.include('put back');
  }

  const joining = (onStderr: (text: string) => void = () => undefined) =>
    agentless([...remote.stage.words, ...remote.there, '--token', '-'], {
      input: remote.stage.cluster.token,
      onStderr,
    });

  it('that drops while the host is being looked at', async () => {
    await start();
    let forwarder: Forwarder | undefined = await startForwarder({
      target: `127.0.0.1:${remote.stage.sshd.port}`,
      rtt: 0,
    });
    goBy(forwarder.port);
    const cut = () => {
      const cutting = forwarder?.close();
      forwarder = undefined;
      if (cutting) ends.push(() => cutting);
    };
    const ended = await joining((text) => {
      if (/^ {2}look /m.test(text)) cut();
    });
    expect(ended.status, ended.stderr).to.equal(6);
    expect(ended.stderr).to.match(/^error: no connection to web1 by ssh$/m);
    expect(ended.stderr).to.match(/^hint: .*ssh -F \S+ web1 true` works from here$/m);
    await expectNothingBegun(ended);
  });

  it('that is closed before it stands: ssh says what it has seen', async () => {
    await start();
    const server = createServer((socket) => socket.destroy());
    goBy(await listen(server));
    ends.push(() => new Promise((resolve) => server.close(resolve)));
    const ended = await joining();
    expect(ended.status, ended.stderr).to.equal(6);
    expect(ended.stderr).to.match(/kex_exchange_identification|Connection (closed|reset) by/);
    await expectNothingBegun(ended);
  });

  it('that never stands is given up at Ctrl-C', async () => {
    await start();
    let connected = (): void => undefined;
    // Takes the connection and says nothing, as a firewall or a dead machine does.
    const server = createServer((socket) => {
      ends.push(async () => socket.destroy());
      connected();
    });
    goBy(await listen(server));
    ends.push(async () => server.close());
    const ended = await agentless([...remote.stage.words, ...remote.there, '--token', '-'], {
      input: remote.stage.cluster.token,
      started: (_pid, kill) => {
        connected = () => kill('SIGINT');
      },
    });
    expect(ended.status, ended.stderr).to.equal(130);
    expect(ended.stderr).to.match(/^error: interrupted$/m);
    await expectNothingBegun(ended);
  });

  it('to a login shell that never answers is given up as well', async () => {
    await start(['ForceCommand echo reached >&2; exec sleep 1000']);
    const {port} = remote.stage.sshd;
    const forwarder = await startForwarder({target: `127.0.0.1:${port}`, rtt: 0});
    ends.push(() => forwarder.close());
    goBy(forwarder.port);
    const ended = await agentless([...remote.stage.words, ...remote.there, '--token', '-'], {
      input: remote.stage.cluster.token,
      started: (_pid, kill) => {
        const timer = setInterval(() => {
          // The whole program has gone up: whoever answered would have done so.
          if (forwarder.bytesUp < 10_000) return;
          clearInterval(timer);
          kill('SIGTERM');
        }, 20);
        ends.push(async () => clearInterval(timer));
      },
    });
    expect(ended.status, ended.stderr).to.equal(130);
    await expectNothingBegun(ended);
  });
});

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
