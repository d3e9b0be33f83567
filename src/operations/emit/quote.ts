// Texts of others in files of other programs. Pure.

/** What YAML or a reader would take for something else than itself: controls, and characters that nobody sees. */
const HIDDEN = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/g;

const unicode = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** In double quotes, as both JSON and YAML read it. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(HIDDEN, unicode);
}

/** In double quotes, as HCL reads it, where nothing is a template. */
export function hclQuoted(text: string): string {
  const inside = text
    .replace(/["\\]/g, '\\$&')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
    .replace(/[\u0000-\u001f]/g, unicode)
    .replace(HIDDEN, unicode)
    .replace(/[$%](?=\{)/g, unicode);
  return `"${inside}"`;
}

/** Lines of a block, indented; `text` has no other control characters than the ends of its lines. */
export function yamlBlock(text: string, indent: number): string {
  const blanks = ' '.repeat(indent);
  return text.replace(/^(?=.)/gm, blanks);
}
