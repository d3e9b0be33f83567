// Bundles src/ into one file in dist/, and puts beside it what V8 makes of it, so that it need not at every start.
import {spawnSync} from 'node:child_process';
import {renameSync, rmSync} from 'node:fs';
import {build} from 'esbuild';

/**
 * What oclif asks for at its start and uses only for plugins and for commands that are searched for, both of which we
 * have none of: a third of what would have to be read at every start. Whoever calls it after all is told.
 */
const UNUSED = ['lilconfig', 'minimatch', 'tinyglobby'];

const leaveOut = {
  name: 'leave-out',
  setup(build) {
    // On a terminal oclif makes itself a spinner at every start, of which we have none either: the one for logs does.
    build.onResolve({filter: /^\.\/action\/spinner$/}, ({resolveDir, importer, kind}) =>
      build.resolve('./action/simple', {resolveDir, importer, kind}),
    );
    const filter = new RegExp(`^(${UNUSED.join('|')})$`);
    build.onResolve({filter}, ({path}) => ({path, namespace: 'left-out'}));
    build.onLoad({filter: /.*/, namespace: 'left-out'}, ({path}) => ({
      contents: `const leftOut = () => { throw new Error('${path} is left out of the bundle, see scripts/build.js'); };
        module.exports = new Proxy(leftOut, {get: (_, name) => (name === '__esModule' ? true : leftOut)});`,
    }));
  },
};

/** Packages that few runs need: each in a file of its own, so that the others need not carry it. */
const SELDOM = ['@inquirer/prompts', 'diff', 'node-forge', 'sshpk', 'undici'];

const fileOf = (name) => name.replace('/', '-').replace('@', '');

const setApart = {
  name: 'set-apart',
  setup(build) {
    const filter = new RegExp(`^(${SELDOM.join('|')})$`);
    build.onResolve({filter}, ({path}) => ({path: `./${fileOf(path)}.cjs`, external: true}));
    // Imported for its effect, which no module of Node's is thought to have.
    build.onResolve({filter: /^node:tls$/}, ({path}) => ({path, external: true, sideEffects: true}));
  },
};

// Built beside its place: whoever runs the program meanwhile finds a whole one.
const building = `dist-${process.pid}`;
const common = {
  outdir: building,
  outExtension: {'.js': '.cjs'},
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // A module that is asked for later is loaded as CommonJS too.
  supported: {'dynamic-import': false},
  minify: true,
  legalComments: 'none',
};
await Promise.all([
  build({
    ...common,
    entryPoints: {agentless: 'src/main.ts'},
    plugins: [leaveOut, setApart],
    // oclif looks for these softly, for development only.
    external: ['typescript', 'ts-node', 'tsx'],
    define: {'import.meta.url': 'agentlessUrl'},
    banner: {js: "const agentlessUrl=require('node:url').pathToFileURL(__filename).href;"},
  }),
  build({...common, entryPoints: Object.fromEntries(SELDOM.map((name) => [fileOf(name), name]))}),
]);
spawnSync(process.execPath, ['--import', 'tsx', 'scripts/compile.ts', building], {stdio: 'inherit'});
rmSync('dist', {recursive: true, force: true});
renameSync(building, 'dist');
