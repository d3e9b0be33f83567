// Loaded by node before the built program (--require): writes down each operation of it that changes files, and kills the
// process right before or after one of them. DIE_LOG names a file for a line each; DIE_AT is such a line and the word
// "before" or "after". A line is "rename /etc/pam.d/sshd 1": what, where, and for the how manieth time. The lock is taken by
// other calls, and has tests of its own.

const fs = require('node:fs');

const counts = new Map();

/** Directories of rehearsals have another name each time. */
const plain = (path) => String(path).replace(/agentless-\d+-\w+-[0-9a-f]{12}/, 'agentless-STAGE');

function mark(what, path) {
  const operation = `${what} ${plain(path)}`;
  counts.set(operation, (counts.get(operation) ?? 0) + 1);
  return `${operation} ${counts.get(operation)}`;
}

function carryOut(operation, work) {
  if (process.env.DIE_LOG) fs.appendFileSync(process.env.DIE_LOG, `${operation}\n`);
  if (process.env.DIE_AT === `${operation} before`) process.kill(process.pid, 'SIGKILL');
  const result = work();
  if (process.env.DIE_AT === `${operation} after`) process.kill(process.pid, 'SIGKILL');
  return result;
}

for (const [what, at] of [
  ['rename', 1],
  ['mkdir', 0],
  ['rm', 0],
  ['rmdir', 0],
]) {
  const real = fs[`${what}Sync`];
  fs[`${what}Sync`] = (...args) => {
    // A name beside its place comes into being and goes with every write.
    if (what === 'rm' && String(args[0]).endsWith('.agentless-tmp')) return real(...args);
    return carryOut(mark(what, args[at]), () => real(...args));
  };
}

/** Files that are open to be added to, by descriptor. */
const journals = new Map();
const {openSync, closeSync, writeFileSync} = fs;
fs.openSync = (path, flags, ...rest) => {
  const file = openSync(path, flags, ...rest);
  if (typeof flags === 'number' && (flags & fs.constants.O_APPEND) !== 0) journals.set(file, path);
  return file;
};
fs.closeSync = (file) => {
  journals.delete(file);
  closeSync(file);
};
fs.writeFileSync = (file, ...rest) =>
  journals.has(file)
    ? carryOut(mark('append', journals.get(file)), () => writeFileSync(file, ...rest))
    : writeFileSync(file, ...rest);
