// Real parsers of what is emitted: PyYAML, Terraform. A test that needs one that is not here is skipped.

import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

/** JSON of the documents of some YAML texts; `!unsafe` is a text. */
const YAML = `
import json, sys, yaml
yaml.SafeLoader.add_constructor('!unsafe', lambda loader, node: {'unsafe': loader.construct_scalar(node)})
print(json.dumps([yaml.safe_load(text) for text in json.load(sys.stdin)]))
`;

export const hasYaml = (): boolean => spawnSync('python3', ['-c', 'import yaml']).status === 0;

// biome-ignore lint/suspicious/noExplicitAny: a parser tells what it finds.
export function parseYaml(texts: readonly string[]): any[] {
  const options = {input: JSON.stringify(texts), maxBuffer: 64 * 1024 * 1024};
  return JSON.parse(execFileSync('python3', ['-c', YAML], options).toString());
}

export const hasTerraform = (): boolean => spawnSync('terraform', ['version']).status === 0;

/** Values of expressions of HCL. */
export function evaluateHcl(expressions: readonly string[]): unknown[] {
  // Terraform reads what lies in its directory.
  const cwd = mkdtempSync(join(tmpdir(), 'agentless-hcl-'));
  try {
    const input = `base64encode(jsonencode([${expressions.join(', ').replaceAll('\n', ' ')}]))\n`;
    const shown = execFileSync('terraform', ['console'], {input, cwd, stdio: 'pipe'}).toString();
    return JSON.parse(Buffer.from(JSON.parse(shown), 'base64').toString());
  } finally {
    rmSync(cwd, {recursive: true});
  }
}

/** As `terraform fmt` would write it; fails where it is no HCL. */
export function formatHcl(text: string): string {
  return execFileSync('terraform', ['fmt', '-'], {input: text, stdio: 'pipe'}).toString();
}
