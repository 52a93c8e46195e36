import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '../../src/config/config-error.ts';
import { configProblemText, parseTestConfig } from '../unit/config/parse-test-config.ts';
import { expectRefusal, fuzzTest } from './fuzz.ts';

describe('a config', () => {
  fuzzTest({
    name: 'config',
    tokens: [
      ': ',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a',
      '*a',
      ['$', '{A}'].join(''),
      "'",
      '"',
      'access',
      'listen',
      'storage',
      'component',
      'jid',
      '!!',
      '%',
      '1 MB',
    ],
    check: (input) => expectRefusal(() => parseTestConfig(input), ConfigError),
  });

  test('that is nested too deeply is reported as a problem of the file', () => {
    for (const text of [': '.repeat(20_000), '['.repeat(20_000), `a: ${'{a: '.repeat(20_000)}`])
      assert.match(configProblemText(text), /porter\.yml:1: /);
  });
});
