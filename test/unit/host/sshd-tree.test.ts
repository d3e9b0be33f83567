import {mkdirSync, symlinkSync} from 'node:fs';
import {expect} from 'chai';
import {readTree} from '../../../src/host/sshd-tree.js';
import {dialectOf} from '../../../src/ssh/sshd-config/index.js';
import {failure} from '../../support/cluster-client.js';
import {PrivateHost} from '../../support/private-host.js';

const NEW = {...dialectOf([9, 2]), include: true};
const OLD = {...dialectOf([7, 4]), include: false};

describe('the tree of a configuration', () => {
  let box: PrivateHost;
  beforeEach(() => {
    box = new PrivateHost();
  });
  afterEach(() => box[Symbol.dispose]());

  const read = async (dialect = NEW) => {
    const tree = await readTree(box.host, box.config, dialect);
    return {...tree, names: [...tree.files.keys()].map((path) => path.replace(`${box.root}/`, ''))};
  };

  it('holds every file that is included, by any pattern and from any depth', async () => {
    mkdirSync(box.at('a.d'));
    mkdirSync(box.at('b.d'));
    box.write('a.d/1.conf', `Include ${box.at('deep')}\n`);
    box.write('a.d/2.conf', 'UsePAM no\n');
    box.write('a.d/other', 'Port 1\n');
    box.write('b.d/3.conf', 'Port 2\n');
    box.write('deep', 'Port 3\n');
    box.configure([], `Include ${box.root}/?.d/*.conf`, 'Match all', `Include ${box.root}/none/*`);
    const {names, directories, mainTarget} = await read();
    expect(names).to.deep.equal(['sshd_config', 'a.d/1.conf', 'a.d/2.conf', 'b.d/3.conf', 'deep']);
    expect(directories).to.include(box.at('a.d')).and.to.include(box.root);
    expect(mainTarget).to.equal(undefined);
  });

  it('knows an empty directory that a pattern stands for', async () => {
    mkdirSync(box.at('empty.d'));
    box.configure([], `Include ${box.at('empty.d')}/*.conf`);
    const {names, directories} = await read();
    expect(names).to.deep.equal(['sshd_config']);
    expect([...(directories ?? [])]).to.deep.equal([box.at('empty.d')]);
  });

  it('ends where files include each other', async () => {
    box.write('loop', `Include ${box.config}\n`);
    box.configure([], `Include ${box.at('loop')}`, `Include ${box.at('loop')}`);
    expect((await read()).names).to.deep.equal(['sshd_config', 'loop']);
  });

  it('leaves out what is no file and what is not there', async () => {
    mkdirSync(box.at('x.d/sub.conf'), {recursive: true});
    symlinkSync('nowhere', box.at('x.d/dangling.conf'));
    box.configure([], `Include ${box.at('x.d')}/*.conf ${box.at('gone')}`);
    expect((await read()).names).to.deep.equal(['sshd_config']);
  });

  it('is one file where sshd knows no Include', async () => {
    box.write('other', '');
    box.configure([], `Include ${box.at('other')}`);
    expect((await read(OLD)).names).to.deep.equal(['sshd_config']);
  });

  it('stops at a number of files that nobody has', async function () {
    this.timeout(60_000);
    mkdirSync(box.at('many.d'));
    for (let index = 0; index < 2001; index += 1) box.write(`many.d/${index}.conf`, '');
    box.write('many.d/z.conf', `Include ${box.at('beyond')}\n`);
    box.write('beyond', '');
    box.configure([], `Include ${box.at('many.d')}/*.conf`);
    expect((await read()).names).to.not.include('beyond');
  });

  it('needs its main file', async () => {
    mkdirSync(box.config);
    expect((await failure(read())).message).to.match(/is not a regular file$/);
    const gone = await readTree(box.host, box.at('gone'), NEW).catch((error: unknown) => error);
    expect(gone).to.have.property('code', 'ENOENT');
  });
});
