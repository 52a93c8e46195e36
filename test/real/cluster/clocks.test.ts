import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { httpRequest } from '../../support/http.ts';
import { needs } from '../peers/peers.ts';
import { type PostgresServer, startPostgres } from '../peers/postgres.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { runDoctor } from '../support/run-doctor.ts';
import { getSlot, openSlotConfig, startPut, waitForTransfers } from '../support/slots.ts';
import { readLog } from './worker-log.ts';

const SHIFT_CLOCK = pathToFileURL(join(import.meta.dirname, '../support/shift-clock.ts')).href;
const AHEAD_MS = 120_000;

describe('Two instances whose clocks are two minutes apart', { skip: needs('postgresql') }, () => {
  let postgres: PostgresServer;
  let right: PorterProcess;
  let ahead: PorterProcess;
  const env = { NODE_OPTIONS: `--import=${SHIFT_CLOCK}`, PORTER_TEST_CLOCK_MS: String(AHEAD_MS) };
  before(async () => {
    postgres = await startPostgres();
    const ledger = await postgres.createSchema();
    right = await startPorter({ config: { ...openSlotConfig, storage: { ledger, blobs: './blobs' } } });
    const blobs = join(right.folder, 'blobs');
    ahead = await startPorter({ env, config: { ...openSlotConfig, storage: { ledger, blobs } } });
  });
  after(async () => {
    await ahead.remove();
    await right.remove();
    await postgres.remove();
  });

  test('do not take over each other: an uninterrupted PUT gets 201', async () => {
    const body = randomBytes(300_000);
    const slot = await getSlot(right, { size: body.length });
    const put = await startPut(slot.put, body, 200_000);
    await waitForTransfers(right, 1);
    const elsewhere = new URL(new URL(slot.put).pathname, ahead.url).href;
    const second = await httpRequest(elsewhere, { method: 'PUT', body });
    assert.equal(second.status, 409, second.text);
    const { code, stdout, stderr } = await ahead.runCommand('cleanup');
    assert.equal(code, 0, stdout + stderr);
    assert.equal((await put.finish()).status, 201);
    assert.ok((await httpRequest(slot.get)).body.equals(body));
  });

  test('are reported once in the log, by the metrics and by the doctor', async () => {
    const warnings = readLog(ahead.program).filter(({ msg }) => msg.startsWith('the clock of the database'));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]?.msg ?? '', /is 2 min(?: 1 s)? behind the clock of this machine/);
    assert.ok(!readLog(right.program).some(({ msg }) => msg.startsWith('the clock of the database')));
    const { text } = await httpRequest(`${ahead.url}/metrics`);
    const [, seconds] = /^porter_ledger_clock_skew_seconds (\S+)$/m.exec(text) ?? [];
    assert.equal(Math.round(Number(seconds)), -AHEAD_MS / 1000);
    const { findings, output } = await runDoctor(join(right.folder, 'porter.yml'));
    const [clock] = findings.filter(({ check }) => check === 'clock of the database');
    assert.equal(clock?.state, 'warn', output);
    assert.match(clock?.text ?? '', /^It is 2 min(?: 1 s)? behind the clock of /);
  });
});
