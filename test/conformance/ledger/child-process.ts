/**
 * Another process on a ledger. `node child.ts FILE store` stores uploads, many at a time, and prints the id of each
 * that was acknowledged, until it is killed; `node child.ts FILE reserve LIMIT COUNT` asks for COUNT slots at once
 * and prints how many it got.
 */
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { issue, reservation, store } from './fixture.ts';

const [file = '', task, limit, count] = process.argv.slice(2);
const ledger = await openSqliteLedger({ file, sync: true });

async function storeForEver(): Promise<never> {
  for (;;) {
    const id = await store(ledger);
    process.stdout.write(`${id}\n`);
    await issue(ledger);
  }
}

if (task === 'store') await Promise.all(Array.from({ length: 16 }, storeForEver));

const asked = Array.from({ length: Number(count) }, () =>
  ledger.reserve(reservation({ limits: { ownerBytes: Number(limit) } })),
);
console.log((await Promise.all(asked)).filter(({ granted }) => granted).length);
await ledger.close();
