import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LedgerFault } from '../../../src/ledger/contract.ts';
import { startHeartbeat } from '../../../src/uploads/housekeeping.ts';
import { openHouse } from './house.ts';

describe('the start of the heartbeat', () => {
  for (const [what, kind, starts] of [
    ['a full disk keeps no server from starting: its files can still be fetched', 'full', true],
    ['a broken ledger does', 'damaged', false],
  ] as const) {
    test(what, async (t) => {
      const { deps } = await openHouse(t);
      // A disk that is full at exactly this moment cannot be had on cue.
      const ledger = {
        ...deps.ledger,
        instances: async () => [],
        heartbeat: async () => {
          throw new LedgerFault(kind, 'no');
        },
      };
      const start = startHeartbeat({ ...deps, ledger });
      if (starts) await (await start).stop();
      else await assert.rejects(start, { kind });
    });
  }
});
