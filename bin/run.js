#!/usr/bin/env node
import {readFileSync} from 'node:fs';

if (process.argv.length === 3 && process.argv[2] === '--version') {
  // Answered without loading anything: provisioning scripts ask this first.
  const {name, version} = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  process.stdout.write(`${name}/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
} else {
  const {load} = await import('./bundle.js');
  const {fileURLToPath} = await import('node:url');
  const {main} = load(fileURLToPath(new URL('../dist/agentless.cjs', import.meta.url))).exports;
  await main(process.argv.slice(2));
}
