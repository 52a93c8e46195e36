import { ConfigError } from '../../../src/config/config-error.ts';
import { type Config, type ParseOptions, parseConfig } from '../../../src/config/load.ts';

/** Reads a config from text as if it were `/etc/porter/porter.yml`. */
export function parseTestConfig(text: string, options: Partial<ParseOptions> = {}): Config {
  return parseConfig(text, { file: 'porter.yml', folder: '/etc/porter', env: {}, ...options });
}

/** What is wrong with a text, as lines for a person; empty where nothing is. */
export function listConfigProblems(text: string, options: Partial<ParseOptions> = {}): string[] {
  try {
    parseTestConfig(text, options);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.format().split('\n');
    throw error;
  }
}

/** The only fault of a text. */
export function configProblemText(text: string, options: Partial<ParseOptions> = {}): string {
  return listConfigProblems(text, options).join('\n');
}
