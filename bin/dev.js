#!/usr/bin/env -S node --import tsx
// Runs from source: no build needed.
import {main} from '../src/main.ts';

await main(process.argv.slice(2));
