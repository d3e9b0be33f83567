// Mocha's spec reporter, and a closing line that scripts can read: "N passed, N failed, N skipped".
const {reporters} = require('mocha');

module.exports = class Closing extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const {passes = 0, failures = 0, pending = 0} = this.stats;
    process.stdout.write(`${passes} passed, ${failures} failed, ${pending} skipped\n`);
  }
};
