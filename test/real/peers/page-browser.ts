import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

export type { Page } from 'playwright-core';

/** A busy machine is slow. */
const TIMEOUT_MS = 60_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Lists the elements behind the right edge, if the page is wider than the screen. */
const TOO_WIDE = `document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll('main *')]
  .filter((element) => element.getBoundingClientRect().right > innerWidth).map(({ outerHTML }) => outerHTML.slice(0, 80))`;

export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly colorScheme: 'light' | 'dark';
  /** Language of the browser. */
  readonly locale: 'en-GB' | 'de-DE';
}

/** One browser profile with one tab. It records every problem that the browser reports. */
export interface PageTab {
  readonly page: Page;
  /** Fails if axe finds a barrier, the page is wider than the screen, or the browser has reported a problem. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Debian's Chromium without a window, controlled by Playwright. */
export function startPageBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
}

export async function openTab(browser: Browser, { width, height, ...screen }: Screen): Promise<PageTab> {
  const context = await browser.newContext({
    viewport: { width, height },
    ...screen,
    acceptDownloads: true,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  context.setDefaultTimeout(TIMEOUT_MS);
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(String(error)));
  let origin = '';
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!url.protocol.startsWith('http')) return;
    origin ||= url.origin;
    if (url.origin !== origin) problems.push(`A request left the origin: ${request.url()}`);
  });
  return {
    page,
    async check() {
      assert.deepEqual(await findBarriers(context, page), []);
      assert.deepEqual(await page.evaluate(TOO_WIDE), [], 'The page is wider than the screen.');
      assert.deepEqual(problems, []);
    },
    close: () => context.close(),
  };
}

/** Runs axe through the DevTools protocol, which the Content-Security-Policy of the page does not affect. */
async function findBarriers(context: BrowserContext, page: Page): Promise<string[]> {
  const session = await context.newCDPSession(page);
  try {
    await session.send('Runtime.evaluate', { expression: AXE });
    const { result } = await session.send('Runtime.evaluate', {
      expression: `axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => id + ' ' + target + ': ' + failureSummary)))`,
      awaitPromise: true,
      returnByValue: true,
    });
    return result.value as string[];
  } finally {
    await session.detach();
  }
}

/** Makes the uploads of a tab slow. */
export async function limitUploads(
  page: Page,
  { bytesPerSecond }: { bytesPerSecond: number },
): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const network = { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: bytesPerSecond };
  await session.send('Network.emulateNetworkConditions', network);
}
