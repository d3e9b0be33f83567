// As much of JSON Schema as the schemas in test/golden/schemas/ use. A keyword that is not known here is an error, so
// that no rule is passed over in silence.

import {readFileSync} from 'node:fs';

interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: false | Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly pattern?: string;
}

const WORDS = ['$schema', 'title', 'description'];
const RULES = [
  'type',
  'const',
  'enum',
  'oneOf',
  'required',
  'properties',
  'additionalProperties',
  'items',
  'minItems',
  'minLength',
  'minimum',
  'pattern',
];

/** A schema by its name in test/golden/schemas/. */
export function schemaNamed(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../golden/schemas/${name}.json`, import.meta.url), 'utf8'));
}

/** What is wrong with a value, each with the path of the part that it is about; empty when nothing is. */
export function violations(value: unknown, schema: Schema, path = '$'): string[] {
  const unknown = Object.keys(schema).filter((key) => ![...WORDS, ...RULES].includes(key));
  if (unknown.length > 0) throw new Error(`keywords that are not known here: ${unknown.join(', ')}`);
  const wrong = (what: string) => [`${path} ${what}`];
  if (schema.type !== undefined && !isOf(schema.type, value)) return wrong(`is no ${schema.type}`);
  if ('const' in schema && value !== schema.const) return wrong(`is not ${JSON.stringify(schema.const)}`);
  if (schema.enum && !schema.enum.includes(value)) return wrong(`is none of ${JSON.stringify(schema.enum)}`);
  if (schema.oneOf) {
    const answers = schema.oneOf.map((one) => violations(value, one, path));
    const fitting = answers.filter((answer) => answer.length === 0).length;
    if (fitting !== 1) return wrong(`fits ${fitting} of ${answers.length}: ${answers.flat().join('; ')}`);
  }
  if (typeof value === 'string') return textViolations(value, schema).flatMap(wrong);
  if (typeof value === 'number') return value < (schema.minimum ?? value) ? wrong('is too small') : [];
  if (Array.isArray(value)) {
    const short = value.length < (schema.minItems ?? 0) ? wrong('has too few items') : [];
    return [
      ...short,
      ...value.flatMap((item, index) => violations(item, schema.items ?? {}, `${path}[${index}]`)),
    ];
  }
  return typeof value === 'object' && value !== null ? objectViolations(value, schema, path) : [];
}

function isOf(type: NonNullable<Schema['type']>, value: unknown): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}

function textViolations(value: string, {pattern, minLength = 0}: Schema): string[] {
  return [
    ...(value.length < minLength ? ['is too short'] : []),
    ...(pattern !== undefined && !new RegExp(pattern, 'u').test(value) ? [`does not match ${pattern}`] : []),
  ];
}

function objectViolations(value: object, schema: Schema, path: string): string[] {
  const {required = [], properties = {}, additionalProperties = {}} = schema;
  const missing = required.filter((key) => !(key in value)).map((key) => `${path}.${key} is missing`);
  const inside = Object.entries(value).flatMap(([key, child]) => {
    const rule = properties[key] ?? additionalProperties;
    return rule === false ? [`${path}.${key} is not known`] : violations(child, rule, `${path}.${key}`);
  });
  return [...missing, ...inside];
}
