import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const TIMEOUT_MS = 60_000;

/** Waits until the condition is true. Fails after a minute, with the source text of the condition. */
export async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  while (!(await condition())) {
    if (performance.now() > end) assert.fail(`Timed out waiting for: ${condition}`);
    await sleep(5);
  }
}

const STALLED_MS = 120_000;

/** Waits without a time limit until `count` reaches `wanted`. Fails if the count does not change for two minutes. */
export async function waitForCount(
  what: string,
  count: () => number | Promise<number>,
  wanted: number,
): Promise<void> {
  let [reached, changedAt] = [await count(), performance.now()];
  while (reached < wanted) {
    await sleep(20);
    const now = await count();
    if (now !== reached) [reached, changedAt] = [now, performance.now()];
    else if (performance.now() - changedAt > STALLED_MS) {
      assert.fail(`Stalled at ${reached} of ${wanted} ${what}`);
    }
  }
}
