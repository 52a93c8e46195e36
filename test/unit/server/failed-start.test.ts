import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../../src/config/load.ts';
import { startServer } from '../../../src/server/start.ts';

test('a start that fails while the endpoints are created closes the stores, so that the process can end', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'porter-failed-start-'));
  t.after(() => rm(folder, { recursive: true }));
  const text = JSON.stringify({ listen: '127.0.0.1:0', log: { level: 'silent' }, slot_api: {} });
  const config = parseConfig(text, { file: 'porter.yml', folder, env: {} });
  // The config check refuses this path. Here it makes the router fail.
  const broken = { ...config, metrics: { ...config.metrics, path: '/healthz' } };
  await assert.rejects(startServer(broken), /already declared/);
  // SQLite removes its -wal and -shm files when the last connection is closed.
  const files = (await readdir(join(folder, 'data'))).filter((name) => /-(?:wal|shm)$/.test(name));
  assert.deepEqual(files, []);
});
