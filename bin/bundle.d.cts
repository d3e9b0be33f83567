import type {Script} from 'node:vm';

export declare function load(file: string): {
  readonly exports: {readonly main: (argv: readonly string[]) => Promise<void>};
  readonly script: Script;
};
