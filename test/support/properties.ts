// Property tests draw the same examples each time, so that a red run means the change and not the dice. SEED=$(date +%s)
// looks further.

import fc from 'fast-check';

fc.configureGlobal({seed: Number(process.env['SEED'] ?? 20261121)});
