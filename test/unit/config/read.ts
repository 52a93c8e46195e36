import { type Config, type ParseOptions, parseConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problems.ts';

/** Reads a config from text as if it were `/etc/porter/porter.yml`. */
export function read(text: string, options: Partial<ParseOptions> = {}): Config {
  return parseConfig(text, { file: 'porter.yml', folder: '/etc/porter', env: {}, ...options });
}

/** What is wrong with a text, as lines for a person; empty where nothing is. */
export function faults(text: string, options: Partial<ParseOptions> = {}): string[] {
  try {
    read(text, options);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.format().split('\n');
    throw error;
  }
}

/** The only fault of a text. */
export function fault(text: string, options: Partial<ParseOptions> = {}): string {
  return faults(text, options).join('\n');
}
