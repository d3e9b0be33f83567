import {build} from 'esbuild';

/** Bundles a program of the tests: starting the compiler again and again takes longer than the programs do. */
export async function bundle(name: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [new URL(`./${name}`, import.meta.url).pathname],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    banner: {
      js: "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
}
