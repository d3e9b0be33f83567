// Loads the bundle together with what V8 has made of it when it was built.

'use strict';

const {readFileSync} = require('node:fs');
const {createRequire} = require('node:module');
const {basename, dirname} = require('node:path');
const {Script} = require('node:vm');

/**
 * The program in `file`, a CommonJS module. Beside it, with the ending .compiled, lies its compiled code, without which a
 * join that changes nothing takes four tenths longer. V8 leaves that aside when another Node has made it.
 * @returns {{exports: {main: (argv: readonly string[]) => Promise<void>}, script: Script}}
 */
function load(file) {
  // Of letters that each are one byte: nothing has to be decoded.
  const source = readFileSync(file, 'latin1');
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    // It stays in the compiled code, which may be moved to anywhere.
    filename: basename(file),
    cachedData: compiled(file),
  });
  const module = {exports: {}};
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
  return {exports: module.exports, script};
}

function compiled(file) {
  try {
    return readFileSync(`${file}.compiled`);
  } catch {
    return undefined;
  }
}

module.exports = {load};
