import { ConfigError } from '../../../src/config/config-error.ts';
import { type Config, type ParseOptions, parseConfig } from '../../../src/config/load.ts';

/** Parses a config text as if it were `/etc/porter/porter.yml`. */
export function parseTestConfig(text: string, options: Partial<ParseOptions> = {}): Config {
  return parseConfig(text, { file: 'porter.yml', folder: '/etc/porter', env: {}, ...options });
}

/** Returns the problems of a config text as lines; empty if it is valid. */
export function listConfigProblems(text: string, options: Partial<ParseOptions> = {}): string[] {
  try {
    parseTestConfig(text, options);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.format().split('\n');
    throw error;
  }
}

/** Returns the problems of a config text as one string. */
export function configProblemText(text: string, options: Partial<ParseOptions> = {}): string {
  return listConfigProblems(text, options).join('\n');
}
