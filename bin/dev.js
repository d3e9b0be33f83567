#!/usr/bin/env -S node --import tsx
// Runs from source: no build needed.
const {main} = await import('../src/main.ts');
await main(process.argv.slice(2));
