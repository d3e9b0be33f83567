// Mocha's spec reporter, and a closing line that scripts can read: "N passed, N failed, N skipped".
const {reporters} = require('mocha');

/** Seconds that what a test has left open may take to end by itself. */
const PATIENCE = 20;

/** A test that leaves a server or a process behind would keep the run from ever ending: named instead, and failed. */
function endIfSomethingIsLeftOpen() {
  const end = () => {
    const left = [...new Set(process.getActiveResourcesInfo())].filter((kind) => kind !== 'Timeout');
    process.stderr.write(`the tests have ended and left something open: ${left.join(', ')}\n`);
    // Mocha sets the exit code of its own in the same event, before us.
    process.on('exit', () => {
      process.exitCode ||= 1;
    });
    process.exit();
  };
  setTimeout(end, PATIENCE * 1000).unref();
}

module.exports = class Closing extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const {passes = 0, failures = 0, pending = 0} = this.stats;
    process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
    endIfSomethingIsLeftOpen();
  }
};
