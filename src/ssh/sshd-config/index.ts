// sshd_config: a lossless model, what sshd makes of it, and our edits as pure functions from files to files.
export {removeBlock} from './block.js';
export {type Dialect, dialectOf} from './dialect.js';
export {withoutOurs} from './drop-in.js';
export {type Edits, editLines} from './edit-lines.js';
export {EffectiveConfig, parseEffective} from './effective.js';
export {parseConfig, serialize, textOf} from './file.js';
export {escapeGlob, matchesGlob} from './glob.js';
export {accumulates, canonicalKeyword} from './keywords.js';
export {allOf, appliesToAll, firstGlobal, inMatches, winning} from './lookup.js';
export {isBlank, withoutOwnLines} from './own-lines.js';
export {type Installation, type Placement, place, type WrittenFile} from './place.js';
export {quotePath} from './quote.js';
export {type Elsewhere, spelledOut, staged} from './staged.js';
export {
  filesOf,
  includeLines,
  includePatterns,
  problems,
  type Scope,
  type Setting,
  settings,
  type Tree,
} from './tree.js';
