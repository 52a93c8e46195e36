import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LedgerError } from '../../../src/ledger/contract/ledger.ts';
import { startHeartbeat } from '../../../src/uploads/housekeeping.ts';
import { openTestServices } from '../../support/test-services.ts';

describe('the start of the heartbeat', () => {
  for (const [what, kind, starts] of [
    ['succeeds with a full disk, because downloads still work', 'full', true],
    ['fails with a damaged ledger', 'damaged', false],
  ] as const) {
    test(what, async (t) => {
      const { services } = await openTestServices(t);
      // A disk that is full at exactly this moment cannot be had on cue.
      const ledger = {
        ...services.ledger,
        listInstances: async () => [],
        heartbeat: async () => {
          throw new LedgerError(kind, 'no');
        },
      };
      const start = startHeartbeat({ ...services, ledger });
      if (starts) await (await start).stop();
      else await assert.rejects(start, { kind });
    });
  }
});
