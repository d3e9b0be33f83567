// The PAM stack of a service as a lossless model, what PAM makes of it, and the place of our lines in it.
export {isPlaced, removed} from './own-lines.js';
export {type Placed, place} from './place.js';
export type {Refusal} from './refusal.js';
export {parseStack, type Stack, serviceIncludes, TYPES, type Type} from './stack.js';
