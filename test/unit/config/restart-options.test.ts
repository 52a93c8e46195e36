import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRestartOptions } from '../../../src/config/restart-options.ts';
import { parseTestConfig } from './parse-test-config.ts';

test('connection limits and the log format take a restart to change, the log level does not', () => {
  const before = parseTestConfig('log: {format: json, level: info}');
  const after = parseTestConfig('connections: {max: 10}\nlog: {format: pretty, level: debug}');
  assert.deepEqual(findRestartOptions(before, after), ['connections', 'log.format']);
});
