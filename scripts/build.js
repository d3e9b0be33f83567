// Bundles src/ into dist/: ESM with splitting, so that each command loads only what it needs.
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

// Built beside its place: whoever runs the program meanwhile finds a whole one.
const building = `dist-${process.pid}`;
await build({
  entryPoints: {main: 'src/main.ts', 'commands/index': 'src/commands/index.ts'},
  outdir: building,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minify: true,
  legalComments: 'none',
  plugins: [leaveOut],
  // oclif looks for these softly, for development only.
  external: ['typescript', 'ts-node', 'tsx'],
  chunkNames: 'chunks/[name]-[hash]',
  // CommonJS inside an ES module bundle wants these.
  banner: {
    js: [
      "import {createRequire as agentlessRequire} from 'node:module';",
      "import {fileURLToPath as agentlessPath} from 'node:url';",
      'const require = agentlessRequire(import.meta.url);',
      'const __filename = agentlessPath(import.meta.url);',
      "const __dirname = agentlessPath(new URL('.', import.meta.url));",
    ].join(''),
  },
});
rmSync('dist', {recursive: true, force: true});
renameSync(building, 'dist');
