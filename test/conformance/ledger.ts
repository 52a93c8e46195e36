import { describe } from 'node:test';
import { adoptSuite } from './ledger/adopt.ts';
import { carryingSuite } from './ledger/carrying.ts';
import { claimSuite } from './ledger/claims.ts';
import type { Open } from './ledger/fixture.ts';
import { hashedSuite } from './ledger/hashed.ts';
import { messageRateSuite } from './ledger/message-rates.ts';
import { onceSuite } from './ledger/once.ts';
import { propertySuite } from './ledger/properties.ts';
import { querySuite } from './ledger/queries.ts';
import { queueSuite } from './ledger/queue.ts';
import { removalSuite } from './ledger/removal.ts';
import { reserveSuite } from './ledger/reserve.ts';

export type { OpenLedger } from './ledger/fixture.ts';

/** All that every back end of the ledger must do. `open` makes a new, empty ledger each time. */
export function ledgerSuite(name: string, open: Open): void {
  describe(`ledger on ${name}`, () => {
    reserveSuite(open);
    claimSuite(open);
    removalSuite(open);
    adoptSuite(open);
    carryingSuite(open);
    querySuite(open);
    hashedSuite(open);
    queueSuite(open);
    onceSuite(open);
    messageRateSuite(open);
    propertySuite(open);
  });
}
