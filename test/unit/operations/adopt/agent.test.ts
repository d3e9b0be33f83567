import {type ChildProcess, spawn} from 'node:child_process';
import {expect} from 'chai';
import {readAgents, refuseAgent} from '../../../../src/operations/adopt/agent.js';
import {failure} from '../../../support/cluster-client.js';
import {PrivateHost} from '../../../support/private-host.js';

describe('a Teleport agent on this host', () => {
  let box: PrivateHost;
  let running: ChildProcess[] = [];
  beforeEach(() => {
    box = new PrivateHost();
  });
  afterEach(() => {
    for (const child of running) child.kill();
    running = [];
    box[Symbol.dispose]();
  });

  /** A process of that name and with these words, as the system shows it. */
  async function start(...argv: readonly string[]): Promise<void> {
    const program = box.write('teleport', '#!/bin/sh\necho up\nread forever\n', 0o755);
    const child = spawn(program, argv, {stdio: ['pipe', 'pipe', 'ignore']});
    running.push(child);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
  }

  const CASES: readonly (readonly [string, readonly string[], string, boolean])[] = [
    ['with that data directory', ['start', '--data-dir', '@'], '', true],
    ['with it joined by =', ['start', '--data-dir=@/'], '', true],
    ['with another', ['start', '-d', '@-other'], '', false],
    ['whose file names it', ['start', '-c', '#'], 'teleport:\n  data_dir: "@"\n', true],
    ['whose file names another', ['start', '--config=#'], 'teleport:\n  data_dir: /x\n', false],
    [
      'without the SSH service',
      ['start', '-c', '#'],
      'teleport:\n  data_dir: @\nssh_service:\n  # none\n  enabled: "no"\nproxy_service:\n  enabled: yes\n',
      false,
    ],
    [
      'with it, beside another that is off',
      ['start', '-c', '#'],
      'teleport:\n  data_dir: @\nssh_service:\n  labels: {}\nproxy_service:\n  enabled: no\n',
      true,
    ],
    ['of other roles', ['start', '--data-dir=@', '--roles', 'proxy,auth'], '', false],
    ['of roles with node', ['start', '--data-dir=@', '-r', 'app,node'], '', true],
    ['that joins', ['join', 'openssh', '--data-dir=@'], '', true],
    ['that does something else', ['version'], '', false],
  ];
  for (const [name, words, config, refused] of CASES) {
    it(`${name} ${refused ? 'is in the way' : 'is not in the way'}`, async () => {
      const dataDir = box.at('data');
      const file = box.write('teleport.yaml', config.replaceAll('@', dataDir));
      await start(...words.map((word) => word.replace('@', dataDir).replace('#', file)));
      const refusing = refuseAgent(box.host, dataDir);
      if (!refused) return refusing;
      const {code, detail} = await failure(refusing);
      expect(code).to.equal('HOST_UNSUITABLE');
      expect(detail).to.match(/^pid \d+: .*teleport /);
    });
  }

  it('is read from a line each', () => {
    expect(readAgents('12\t/usr/bin/teleport\tstart\t\n')).to.deep.equal([
      {pid: 12, argv: ['/usr/bin/teleport', 'start']},
    ]);
    expect(readAgents('')).to.deep.equal([]);
  });
});
