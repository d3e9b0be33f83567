import {expect} from 'chai';
import fc from 'fast-check';
import {chain} from '../../../src/pam/chain.js';
import type {Result} from '../../../src/pam/control.js';
import {run} from '../../../src/pam/flow.js';
import {place} from '../../../src/pam/index.js';
import {type Line, parseStack, type Rule} from '../../../src/pam/stack.js';
import {type Answer, type Question, RealPam} from '../../support/real-pam.js';
import {skip} from '../../support/skip.js';
import {DIRECTORY, type Generated, shreds, soundFiles} from './generators.js';

const CASES = Number(process.env['CASES'] ?? 400);
const TYPES = ['account', 'session'] as const;
const ARGUMENT = {account: 'acct', session: 'open_session'} as const;
const OTHERWISE = {account: 'auth_err', session: 'session_err'} as const;

/** What the model says, in the words in which libpam answers. */
function expected({main, files}: Generated, type: 'account' | 'session'): Answer {
  const told: string[] = [];
  const results = ({module, args}: Rule): Result => {
    if (module === 'pam_permit.so') return 'success';
    if (module === 'pam_deny.so') return OTHERWISE[type];
    if (module !== 'pam_debug.so') return 'module_unknown';
    const said = args.find((argument) => argument.startsWith(`${ARGUMENT[type]}=`));
    if (said === undefined) return 'success';
    told.push(said);
    return said.slice(said.indexOf('=') + 1) as Result;
  };
  const {links, faults} = chain(parseStack(main), type, files);
  const {verdict} = run({links, faults}, results);
  // Of what PAM cannot use it is foreseen that it fails, and not in which words.
  return faults.length > 0 ? denial({verdict, told}) : {verdict, told};
}

function denial({verdict}: Answer): Answer {
  return {verdict: verdict === 'success' ? 'success' : 'perm_denied', told: []};
}

describe('a service file as libpam itself takes it', function () {
  this.timeout(120_000);
  const pam = new RealPam();
  before(function () {
    const missing = pam.missing();
    if (missing !== undefined) skip(this, missing);
  });
  after(() => pam.remove());

  function check(cases: readonly Generated[]): void {
    const questions = cases.flatMap(({main, files}, index): Question[] => {
      const here = (text: string) => text.replaceAll(DIRECTORY, `${pam.directory}/${index}`);
      for (const [name, text] of [...files, [`${DIRECTORY}main`, main] as const]) {
        pam.write(
          here(name)
            .slice(pam.directory.length + 1)
            .replaceAll('/', '-'),
          here(text).replaceAll(`/${index}/`, `/${index}-`),
        );
      }
      return TYPES.map((type) => ({service: `${index}main`, type}));
    });
    const answers = pam.ask(questions);
    cases.forEach((one, index) => {
      TYPES.forEach((type, at) => {
        const answer = answers[2 * index + at] ?? {verdict: 'system_err', told: []};
        const context = `${type} of ${JSON.stringify(one.main)} with ${JSON.stringify([...one.files])}`;
        const isSound = chain(parseStack(one.main), type, one.files).faults.length === 0;
        expect(isSound ? answer : denial(answer), context).to.deep.equal(expected(one, type));
      });
    });
  }

  it('is read and walked through as the model does', () => {
    check(fc.sample(soundFiles(), CASES));
  });

  it('is read as the model does where it makes no sense', () => {
    const one = 'account required pam_debug.so acct=cred_err\naccount\nbogus\n';
    const files = new Map([[`${DIRECTORY}/one`, one]]);
    // Debian's patch for @include reads through a null pointer where the name of what is included is missing.
    const crashes = ({content, raw}: Line) => content.kind === 'broken' && /include|substack/i.test(raw);
    const differs = ({content}: Line) => content.kind === 'broken' && /releases of pam/.test(content.problem);
    const sound = fc
      .sample(shreds(), 2 * CASES)
      .filter((main) => !parseStack(main).lines.some((line) => crashes(line) || differs(line)));
    check(sound.slice(0, CASES).map((main) => ({main, files})));
  });

  it('includes what our lines name, with CR LF too', () => {
    const ours = TYPES.map(
      (type) => `${type} [default=ignore] pam_debug.so ${ARGUMENT[type]}=cred_err\n`,
    ).join('');
    const rules = TYPES.map((type) => `${type} required pam_debug.so ${ARGUMENT[type]}=success # x\r\n`).join(
      '',
    );
    const others = fc.sample(soundFiles(), CASES / 2);
    const cases = [...others, {main: rules, files: new Map<string, string>()}].flatMap(({main, files}) => {
      const service = `${DIRECTORY}/teleport`;
      const includes = new Map([...files, [service, ours]]);
      const result = place(main, {service, required: false, includes});
      return result.kind === 'placed' ? [{main: result.text, files: includes}] : [];
    });
    expect(cases.at(-1)?.main).to.match(/leave\r\n/);
    check(cases);
  });
});
