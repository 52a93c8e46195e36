import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { writerTag } from '../../../src/base/blob-keys.ts';
import { hasSamePids, type Machine, thisMachine } from '../../../src/base/system-resources.ts';
import { LedgerError } from '../../../src/ledger/contract/ledger.ts';
import { createClockComparison } from '../../../src/uploads/heartbeat/clock-skew.ts';
import { releaseClaimsOfDeadProcesses, startHeartbeat } from '../../../src/uploads/heartbeat/heartbeat.ts';
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

test('a process that stops removes its heartbeat, so that another machine can open the ledger at once', async (t) => {
  const { services } = await openTestServices(t);
  const heartbeat = await startHeartbeat(services);
  assert.equal((await services.ledger.listInstances()).length, 1);
  await heartbeat.stop();
  assert.deepEqual(await services.ledger.listInstances(), []);
});

test('a process stops also if its heartbeat cannot be removed', async (t) => {
  const { services } = await openTestServices(t);
  const endInstance = () => Promise.reject(new LedgerError('unreachable', 'no'));
  const heartbeat = await startHeartbeat({ ...services, ledger: { ...services.ledger, endInstance } });
  await heartbeat.stop();
});

test('a process that stops is a dead writer only if a store has failed, so that its files are looked for', async (t) => {
  const { services } = await openTestServices(t);
  await (await startHeartbeat(services)).stop();
  assert.deepEqual(await services.ledger.listDeadWriters(), []);
  services.transfers.direct.fail();
  await (await startHeartbeat(services)).stop();
  assert.deepEqual(await services.ledger.listDeadWriters(), [writerTag(services.instance)]);
});

/** Above the largest pid of Linux (proc(5), pid_max). */
const NO_PROCESS = 2 ** 22 + 1;

describe('the claims of a process that is not running', () => {
  const isReleased = async (t: Parameters<typeof openTestServices>[0], machine: Machine, pid: number) => {
    const { services } = await openTestServices(t);
    await services.ledger.heartbeat({ id: 'other', pid, ...machine, clockSkewMs: null });
    await releaseClaimsOfDeadProcesses(services);
    return (await services.ledger.listInstances()).length === 0;
  };

  for (const [released, what, change] of [
    [true, 'of this machine', {}],
    [false, 'of another host with the same name', { machineId: 'other', bootId: 'other' }],
    [false, 'of a clone of this machine, with its name and machine id', { bootId: 'other' }],
    [false, 'of another container on this machine', { pidNamespace: 'pid:[1]' }],
    [false, 'of another container with its own machine id', { machineId: 'other' }],
  ] as const) {
    test(`${what} are ${released ? 'released at once' : 'left to their heartbeat'}`, async (t) => {
      assert.equal(await isReleased(t, { ...thisMachine, ...change }, NO_PROCESS), released);
    });
  }

  test('are released if its pid is now that of this process', async (t) => {
    assert.equal(await isReleased(t, thisMachine, process.pid), true);
  });

  test('are kept if a process with its pid is running', async (t) => {
    assert.equal(await isReleased(t, thisMachine, process.ppid), false);
  });

  test('are identified by the host name on systems without a boot id', () => {
    const host = { host: 'a', machineId: '', bootId: '', pidNamespace: '' };
    assert.equal(hasSamePids(host, { ...host }), true);
    assert.equal(hasSamePids(host, { ...host, host: 'b' }), false);
    assert.equal(hasSamePids(host, { ...host, bootId: 'x' }), false);
  });
});

describe('a clock of the database that differs', () => {
  test('is logged when it begins, changes and ends, and set as a metric', async (t) => {
    const { services } = await openTestServices(t);
    const lines: string[] = [];
    let skewMs = 0;
    const log = {
      warn: (_: object, text: string) => lines.push(text),
      info: (text: string) => lines.push(text),
    };
    const ledger = { ...services.ledger, readClock: async () => services.clock() + skewMs };
    const metrics = {
      ...services.metrics,
      setLedgerClockSkew: (ms: number) => lines.push(String(Math.round(ms / 1000))),
    };
    const compare = createClockComparison({
      ...services,
      ...({ log, ledger, metrics } as unknown as typeof services),
    });
    for (const ms of [0, 61_500, 61_500, -61_500, -61_500, 0, 0]) {
      skewMs = ms;
      await compare();
    }
    const text = (skew: string) =>
      `the clock of the database is ${skew} the clock of this machine: slots may expire too early or too late; ` +
      'synchronise both clocks (chrony, systemd-timesyncd)';
    const changes = lines.filter((line) => !/^-?\d+$/.test(line));
    assert.deepEqual(changes, [
      text('1 min 2 s ahead of'),
      text('1 min 2 s behind'),
      'the clock of the database and the clock of this machine agree again',
    ]);
    assert.equal(lines.length - changes.length, 7);
  });
});
