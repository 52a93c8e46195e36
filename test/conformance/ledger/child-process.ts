/**
 * A process that uses the ledger. `node child-process.ts FILE store` stores uploads concurrently and prints the id of each
 * acknowledged one until it is killed. `node child-process.ts FILE reserve LIMIT COUNT` requests COUNT slots at once and prints how many
 * were granted.
 */
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { issue, reservation, store } from './fixture.ts';

const [file = '', task, limit, count] = process.argv.slice(2);
const ledger = await openSqliteLedger({ file, sync: true });

async function storeUntilKilled(): Promise<never> {
  for (;;) {
    const id = await store(ledger);
    process.stdout.write(`${id}\n`);
    await issue(ledger);
  }
}

if (task === 'store') await Promise.all(Array.from({ length: 16 }, storeUntilKilled));

const reservations = Array.from({ length: Number(count) }, () =>
  ledger.reserve(reservation({ limits: { ownerBytes: Number(limit) } })),
);
console.log((await Promise.all(reservations)).filter(({ granted }) => granted).length);
await ledger.close();
