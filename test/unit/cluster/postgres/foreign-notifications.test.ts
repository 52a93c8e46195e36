import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { PostgresRelay } from '../../../../src/cluster/postgres/relay.ts';
import { createRelayHandlers } from '../../../../src/cluster/relay-handlers.ts';

describe('a notification of another program', () => {
  for (const text of ['not JSON', 'null', '17', '"text"', '{}']) {
    test(`is ignored: ${text}`, () => {
      const lines: string[] = [];
      const log = pino({}, { write: (line: string) => void lines.push(line) });
      const relay = new PostgresRelay(log, createRelayHandlers(log), () => false);
      assert.doesNotThrow(() => relay.receiveNotification(`1/1 ${text}`));
      if (text !== '{}') assert.match(lines.join(''), /ignored a notification/);
    });
  }
});
