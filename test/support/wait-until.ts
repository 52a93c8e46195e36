import assert from 'node:assert/strict';

const TIMEOUT_MS = 60_000;

/** Polls until the condition holds; fails with the source of the condition after a minute. */
export async function waitUntil(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + TIMEOUT_MS;
  while (!(await condition())) {
    if (performance.now() > end) assert.fail(`Timed out waiting for: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
