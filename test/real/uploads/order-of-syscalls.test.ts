import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { startPorter } from '../support/porter-process.ts';
import { Program } from '../support/program.ts';
import { getSlot, openSlotConfig } from '../support/slots.ts';

const CALLS =
  'mkdir,mkdirat,open,openat,write,writev,pwrite64,pwritev,pwritev2,fdatasync,fsync,sendto,sendmsg';
const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

/**
 * Reads the output of `strace -f -y`. Returns one event for each call, at its start, and one at its end:
 * `start fsync(21</folder>)`, `end fsync(21</folder>)`.
 */
function readEvents(output: string): string[] {
  const running = new Map<string, string>();
  return output.split('\n').flatMap((line) => {
    const [, pid = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    if (/<\.\.\. \w+ resumed>/.test(text)) {
      const call = running.get(pid);
      running.delete(pid);
      return call === undefined ? [] : [`end ${call}`];
    }
    if (!/^\w+\(/.test(text)) return [];
    if (!text.endsWith('<unfinished ...>')) return [`start ${text}`, `end ${text}`];
    running.set(pid, text);
    return [`start ${text}`];
  });
}

test('the running server answers 201 after the file, its folders and the ledger are flushed (strace)', {
  skip: canTrace ? false : 'needs strace and the right to trace',
}, async (t) => {
  const porter = await startPorter({ config: openSlotConfig });
  t.after(() => porter.remove());
  const body = randomBytes(50_000);
  const slot = await getSlot(porter, { size: body.length });
  const file = join(porter.folder, 'strace');
  const args = ['-f', '-y', '-s', '64', '-e', `trace=${CALLS}`, '-o', file, '-p', String(porter.program.pid)];
  const strace = new Program('strace', args);
  t.after(() => strace.stop());
  await strace.waitFor('the trace', () => /attached/.test(strace.stderr) && existsSync(file));
  assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 201);
  const answer = /^start (write|writev|sendto|sendmsg)\(.*HTTP\/1\.1 201/;
  await strace.waitFor('the answer in the trace', () =>
    readEvents(readFileSync(file, 'utf8')).some((one) => answer.test(one)),
  );
  await strace.stop('SIGINT');

  const events = readEvents(readFileSync(file, 'utf8'));
  const find = (pattern: RegExp, from = 0) => {
    const at = events.findIndex((event, index) => index >= from && pattern.test(event));
    assert.ok(at >= 0, `no ${pattern} after event ${from} of:\n${events.join('\n')}`);
    return at;
  };
  const blobs = '/data/blobs';
  const made = find(new RegExp(`^end mkdir.*${blobs}/\\w\\w"`));
  const created = find(new RegExp(`^end open(at)?\\(.*${blobs}/\\w\\w/[^"]+", [^)]*O_CREAT[^)]*\\)`));
  const path = /"([^"]*\/data\/blobs\/\w\w\/[^"]+)"/.exec(events[created] ?? '')?.[1] ?? '';
  const name = path.slice(path.lastIndexOf(blobs));
  const written = find(new RegExp(`^end p?writev?(64|2)?\\(\\d+<[^>]*${name}>`), created);
  const flushed = Math.max(
    find(new RegExp(`^end fdatasync\\(\\d+<[^>]*${name}>`), written),
    find(new RegExp(`^end fsync\\(\\d+<[^>]*${name.slice(0, name.lastIndexOf('/'))}>`), created),
    find(new RegExp(`^end fsync\\(\\d+<[^>]*${blobs}>`), made),
  );
  const committed = find(/^start pwrite64\(\d+<[^>]*porter\.db-wal>/, flushed);
  const durable = find(/^end f(data)?sync\(\d+<[^>]*porter\.db-wal>/, committed);
  assert.ok(durable < find(answer), 'the answer comes last');
});
