// Bundles src/ into dist/: ESM with splitting, so that each command loads only what it needs.
import {renameSync, rmSync} from 'node:fs';
import {build} from 'esbuild';

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
