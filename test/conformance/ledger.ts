import { describe } from 'node:test';
import { activitySuite } from './ledger/activity.ts';
import { claimSuite } from './ledger/claims.ts';
import { contentSuite } from './ledger/content.ts';
import { copySuite } from './ledger/copy.ts';
import { directSuite } from './ledger/direct.ts';
import { fileListSuite } from './ledger/files.ts';
import type { OpenTestLedger } from './ledger/fixture.ts';
import { hashedOwnerSuite } from './ledger/hashed-owners.ts';
import { idempotencySuite } from './ledger/idempotency.ts';
import { importSuite } from './ledger/import.ts';
import { limitUsageSuite } from './ledger/limit-usage.ts';
import { messageRateSuite } from './ledger/message-rates.ts';
import { propertySuite } from './ledger/properties.ts';
import { querySuite } from './ledger/queries.ts';
import { queueSuite } from './ledger/queue.ts';
import { refusalSuite } from './ledger/refusals.ts';
import { removeSuite } from './ledger/remove.ts';
import { repairSuite } from './ledger/repair.ts';
import { reserveSuite } from './ledger/reserve/reserve.ts';
import { resumableSuite } from './ledger/resumable.ts';
import { webSuite } from './ledger/web.ts';

export type { TestLedger } from './ledger/fixture.ts';

/** Tests that every back end of the ledger must pass. `open` creates an empty ledger for each test. */
export function ledgerSuite(name: string, open: OpenTestLedger): void {
  describe(`ledger on ${name}`, () => {
    reserveSuite(open);
    claimSuite(open);
    directSuite(open);
    resumableSuite(open);
    removeSuite(open);
    repairSuite(open);
    importSuite(open);
    copySuite(open);
    querySuite(open);
    hashedOwnerSuite(open);
    queueSuite(open);
    idempotencySuite(open);
    messageRateSuite(open);
    refusalSuite(open);
    limitUsageSuite(open);
    fileListSuite(open);
    webSuite(open);
    activitySuite(open);
    contentSuite(open);
    propertySuite(open);
  });
}
