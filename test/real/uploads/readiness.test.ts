import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { httpRequest } from '../../support/http.ts';
import { readLog, servingWorkers } from '../cluster/worker-log.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { createTemporaryFolder, type PorterProcess, startPorter } from '../support/porter-process.ts';
import { openSlotConfig, uploadFile } from '../support/slots.ts';

interface ReadinessAnswer {
  readonly ready: boolean;
  readonly reasons: readonly { readonly part: string; readonly reason: string }[];
  readonly slow: readonly { readonly part: string; readonly reason: string }[];
}

async function readiness({ url }: PorterProcess): Promise<ReadinessAnswer & { readonly status: number }> {
  const { status, text } = await httpRequest(`${url}/readyz`);
  return { status, ...(JSON.parse(text) as ReadinessAnswer) };
}

/** Waits until `/readyz` answers with this status, and returns the answer. */
async function waitForStatus(porter: PorterProcess, status: number) {
  let answer = await readiness(porter);
  await porter.program.waitFor(`/readyz with ${status}`, async () => {
    answer = await readiness(porter);
    return answer.status === status;
  });
  return answer;
}

const waitForLog = ({ program }: PorterProcess, text: string) =>
  program.waitFor(`the log line "${text}"`, () => readLog(program).some(({ msg }) => msg === text));

test('/readyz reports an SQLite ledger that can be read but not written, and again when it works', async () => {
  const porter = await startPorter({ config: { ...openSlotConfig, storage: { ledger: './porter.db' } } });
  const database = new DatabaseSync(join(porter.folder, 'porter.db'));
  try {
    const body = randomBytes(1000);
    const get = await uploadFile(porter, body);
    assert.equal((await readiness(porter)).status, 200);
    // A disk with files that are open for writing cannot be made read-only.
    database.exec(
      "create trigger fail before insert on instances begin select raise(abort, 'no writes'); end",
    );
    const { reasons } = await waitForStatus(porter, 503);
    assert.deepEqual(reasons, [{ part: 'ledger', reason: 'The ledger cannot be written.' }]);
    await waitForLog(porter, 'The ledger cannot be written.');
    assert.ok((await httpRequest(get)).body.equals(body));
    database.exec('drop trigger fail');
    await waitForStatus(porter, 200);
  } finally {
    database.close();
    await porter.remove();
  }
});

describe('/readyz with PostgreSQL', { skip: needs('postgresql') }, () => {
  let server: PostgresServer;
  let porter: PorterProcess;
  let url = '';
  before(async () => {
    server = await startPostgres();
    url = await server.createSchema();
    porter = await startPorter({ config: { ...openSlotConfig, storage: { ledger: url } } });
  });
  after(async () => {
    await porter.remove();
    await server.remove();
  });

  test('reports a database that has become read-only, and again when it is the primary', async () => {
    assert.equal((await readiness(porter)).status, 200);
    const setReadOnly = async (value: string) => {
      await server.query(url, `alter system set default_transaction_read_only = ${value}`);
      await server.query(url, 'select pg_reload_conf()');
    };
    await setReadOnly('on');
    try {
      const { reasons } = await waitForStatus(porter, 503);
      assert.deepEqual(reasons, [{ part: 'ledger', reason: 'The ledger cannot be written.' }]);
    } finally {
      await setReadOnly('off');
    }
    await waitForStatus(porter, 200);
    await uploadFile(porter, randomBytes(1000));
  });

  test('remains 200 while the database is slow, with a reason in the answer and in the log', async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query('begin');
      await client.query('lock table instances');
      await porter.program.waitFor('a slow ledger', async () => {
        const { status, ready, slow } = await readiness(porter);
        assert.deepEqual([status, ready], [200, true]);
        return slow.some(({ part, reason }) => part === 'ledger' && reason === 'The ledger is slow.');
      });
      await waitForLog(porter, 'The ledger is slow.');
    } finally {
      await client.end();
    }
    await porter.program.waitFor('a fast ledger', async () => (await readiness(porter)).slow.length === 0);
  });
});

describe('A thread of the SQLite ledger that ends unexpectedly', () => {
  const preload = pathToFileURL(join(import.meta.dirname, '../support/end-thread-on-file.ts')).href;
  const startEndable = async (config: object) => {
    const folder = await createTemporaryFolder();
    const file = join(folder, 'end');
    const env = { NODE_OPTIONS: `--import=${preload}`, PORTER_TEST_END_THREAD: file };
    const porter = await startPorter({ folder, env, config: { ...openSlotConfig, ...config } });
    return { porter, endThreads: () => writeFile(file, ''), repair: () => rm(file) };
  };
  const REASON = /^the ledger can no longer be used, so this process exits with code 1$/;

  test('ends the process with a reason in the log, so that it is started again', async () => {
    const { porter, endThreads } = await startEndable({});
    try {
      await uploadFile(porter, randomBytes(1000));
      await endThreads();
      assert.deepEqual(await porter.program.exited(), { code: 1, signal: null });
      const [line] = readLog(porter.program).filter(({ msg }) => REASON.test(msg));
      assert.match(
        JSON.stringify(line),
        /porter\.db has ended unexpectedly \(exit code 7\)\. Start Porter again\./,
      );
    } finally {
      await porter.remove();
    }
  });

  test('ends its worker, which is replaced', async () => {
    const { porter, endThreads, repair } = await startEndable({ workers: 2 });
    try {
      await porter.program.waitFor('both workers', () => servingWorkers(porter.program).size === 2);
      const old = [...servingWorkers(porter.program).values()];
      await endThreads();
      await porter.program.waitFor('the end of a worker', () =>
        readLog(porter.program).some(({ msg }) => REASON.test(msg)),
      );
      await repair();
      await porter.program.waitFor('new workers', () => {
        const serving = [...servingWorkers(porter.program).values()];
        return serving.length === 2 && serving.some((pid) => !old.includes(pid));
      });
      await porter.program.waitFor('an upload', () =>
        uploadFile(porter, randomBytes(1000)).then(
          () => true,
          () => false,
        ),
      );
    } finally {
      await porter.remove();
    }
  });
});
