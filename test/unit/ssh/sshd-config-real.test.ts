import {mkdirSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {expect} from 'chai';
import fc from 'fast-check';
import {
  appliesToAll,
  parseEffective,
  problems,
  type Scope,
  type Setting,
  settings,
  type Tree,
} from '../../../src/ssh/sshd-config/index.js';
import {each, RealSshd} from '../../support/real-sshd.js';
import {
  CRITERIA,
  type Generated,
  GLOBAL_ONLY,
  shreddedConfig,
  soundConfig,
} from './sshd-config-generators.js';

const LISTS = new Set(['acceptenv', 'allowusers', 'denyusers', 'port', 'hostcertificate', 'hostkey']);

/** What sshd -T should show for a keyword, worked out from the model. */
function expected(all: readonly Setting[], keyword: string, connected: boolean): string[] | undefined {
  const own = all.filter((setting) => setting.keyword === keyword);
  const start = own.filter(({scope}) => appliesToAll(scope));
  const matching = own.filter(({scope}) => scope !== undefined && meets(scope, connected));
  const chosen = matching.length > 0 && !GLOBAL_ONLY.has(keyword) ? matching : start;
  if (chosen.length === 0) return undefined;
  return LISTS.has(keyword) ? chosen.flatMap(({args}) => args) : [...(chosen[0]?.args ?? [])];
}

function meets(scope: Scope, connected: boolean): boolean {
  const known = [...CRITERIA].find(([words]) => words.toLowerCase() === scope.criteria.toLowerCase());
  if (known === undefined) throw new Error(`criteria ${scope.criteria}`);
  const [words, met] = known;
  return (
    (words === 'all' || (connected && met)) && (scope.within === undefined || meets(scope.within, connected))
  );
}

/** sshd -T prints the old name up to 10.0 at least, and the new one in 10.6. */
const oldName = (value: string) => value.replace('prohibit-password', 'without-password');

/** How -T prints what was written. */
function printed(keyword: string, args: string[], directory: string): string[] {
  if (keyword === 'authorizedkeysfile') return [args.join(' ')];
  if (keyword === 'permitrootlogin') return args.map(oldName);
  if (keyword === 'maxsessions') return args.map((arg) => String(Number(arg)));
  if (keyword === 'banner') return args.map((arg) => (arg.startsWith('/') ? arg : `${directory}/${arg}`));
  return args;
}

describe('sshd_config as sshd itself reads it', function () {
  this.timeout(300_000);
  let sshd: RealSshd;
  before(() => {
    sshd = new RealSshd();
  });
  after(() => sshd.remove());

  function write(generated: Generated, number: number): Tree {
    const directory = join(sshd.directory, String(number));
    const files = new Map<string, Uint8Array>();
    for (const [name, text] of [['sshd_config', generated.main] as const, ...generated.files]) {
      const path = join(directory, name);
      const bytes = Buffer.from(text.replaceAll('%DIR%', directory), 'latin1');
      mkdirSync(dirname(path), {recursive: true});
      writeFileSync(path, bytes);
      files.set(path, bytes);
    }
    return {main: join(directory, 'sshd_config'), files};
  }

  async function compare(generated: Generated, number: number, sound: boolean): Promise<boolean> {
    const tree = write(generated, number);
    const all = settings(tree, sshd.dialect);
    const refused = problems(tree, sshd.dialect);
    const misplaced = all.filter(({keyword, scope}) => GLOBAL_ONLY.has(keyword) && !appliesToAll(scope));
    const {accepted, text, errors} = await sshd.test(tree.main, generated.connection);
    const story = `${JSON.stringify({...generated, files: [...generated.files]})}\n${errors}${JSON.stringify(refused)}`;
    if (sound) expect(accepted, story).to.equal(refused.length === 0 && misplaced.length === 0);
    else if (refused.length > 0) expect(accepted, story).to.equal(false);
    if (!accepted) return false;
    const effective = parseEffective(text);
    for (const keyword of new Set(all.map((setting) => setting.keyword))) {
      const values = expected(all, keyword, generated.connection !== '');
      const told = effective.all(keyword).map(oldName);
      const shown = keyword === 'hostkey' ? told.slice(1) : told;
      if (values !== undefined)
        expect(shown, `${keyword} in ${story}`).to.deep.equal(printed(keyword, values, sshd.directory));
    }
    return true;
  }

  async function compareAll(configs: fc.Arbitrary<Generated>, count: number, first: number, sound: boolean) {
    // A fixed seed, so that a red run means the change and not the dice; SEED=$(date +%s) looks further.
    const seed = Number(process.env['SEED'] ?? 20261121);
    const samples = fc
      .sample(configs, {numRuns: count, seed})
      .map((generated, i) => ({generated, number: first + i}));
    let accepted = 0;
    try {
      await each(samples, 3, async ({generated, number}) => {
        if (await compare(generated, number, sound)) accepted += 1;
      });
    } catch (error) {
      throw new Error(`with SEED=${seed}`, {cause: error});
    }
    return accepted;
  }

  it('agrees on 1400 sound configurations with Match and Include trees', async () => {
    expect(await compareAll(soundConfig(sshd.dialect), 1400, 0, true)).to.be.greaterThan(400);
  });

  it('agrees on 700 configurations of shreds: what it finds at fault is refused, what is accepted means the same', async () => {
    expect(await compareAll(shreddedConfig(), 700, 10_000, false)).to.be.greaterThan(50);
  });
});
