#!/usr/bin/env node
// CommonJS, as is the bundle: Node's loader for modules would take a third of bare Node's start.
'use strict';

const {join} = require('node:path');

const root = join(__dirname, '..');
if (process.argv.length === 3 && process.argv[2] === '--version') {
  // Answered without loading anything: provisioning scripts ask this first.
  const {name, version} = require(join(root, 'package.json'));
  process.stdout.write(`${name}/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
} else {
  const {load} = require('./bundle.cjs');
  const {main} = load(join(root, 'dist', 'agentless.cjs')).exports;
  main(process.argv.slice(2));
}
