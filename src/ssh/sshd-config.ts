// sshd_config: a lossless model, what sshd makes of it, and our edits as pure functions from files to files.
export {removeBlock} from './sshd-config/block.js';
export {type Dialect, dialectOf} from './sshd-config/dialect.js';
export {withoutOurs} from './sshd-config/drop-in.js';
export {EffectiveConfig, parseEffective} from './sshd-config/effective.js';
export {type ConfigFile, type Line, parseConfig, serialize, textOf} from './sshd-config/file.js';
export {byPath, matchesGlob} from './sshd-config/glob.js';
export {accumulates} from './sshd-config/keywords.js';
export {allOf, appliesToAll, firstGlobal, inMatches, winning} from './sshd-config/lookup.js';
export {type Installation, type Placement, place, type WrittenFile} from './sshd-config/place.js';
export {quotePath} from './sshd-config/quote.js';
export {staged} from './sshd-config/staged.js';
export {
  includePatterns,
  type Problem,
  problems,
  type Scope,
  type Setting,
  settings,
  type Tree,
} from './sshd-config/tree.js';
