import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { en } from '../../../src/web/page/words/en.ts';
import { waitUntil } from '../../support/wait-until.ts';
import type { Page, Screen } from '../peers/page-browser.ts';
import { PASSWORD } from '../support/xmpp-testbed.ts';
import type { PageTestbed } from './page-testbed.ts';

/*
 * Steps that several tests of the web page share.
 */

export const DESKTOP: Screen = { width: 1280, height: 800, colorScheme: 'light', locale: 'en-GB' };
export const PHONE: Screen = { width: 375, height: 740, colorScheme: 'dark', locale: 'de-DE' };

const SCREENSHOTS = join(import.meta.dirname, '../../../docs/screenshots');
/** `PORTER_SCREENSHOTS=1` writes the pictures of docs/web.md again. */
const writesScreenshots = process.env.PORTER_SCREENSHOTS === '1';

export async function takeScreenshot(page: Page, name: string): Promise<void> {
  if (!writesScreenshots) return;
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.keyboard.press('Escape');
  await page.mouse.move(0, 0);
  await page.evaluate(
    'document.querySelector(".notice .icon-button")?.click(); document.activeElement?.blur()',
  );
  await page.evaluate('scrollTo(0, 0)');
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}

export const fileOf = (name: string, content: string | Buffer, mimeType = 'text/plain') => ({
  name,
  mimeType,
  buffer: Buffer.from(content as string),
});

/** `page.waitForFunction` evaluates code in the page, which its Content-Security-Policy forbids. */
export async function waitForValue(
  page: Page,
  expression: string,
  isReached: (value: number) => boolean,
): Promise<void> {
  await waitUntil(async () => isReached(await page.evaluate<number>(expression)));
}

export const rows = (page: Page) => page.locator('table.files tbody tr');
export const goTo = (page: Page, view: string) => page.locator(`.navigation a[href="#/${view}"]`).click();

/** Signs in, and waits for the list of files. */
export async function signInByPassword(
  page: Page,
  { pageUrl }: Pick<PageTestbed, 'pageUrl'>,
  user: string,
  words = en,
): Promise<void> {
  await page.goto(pageUrl);
  await page.getByRole('button', { name: words.usePassword }).click();
  await page.getByLabel(words.address).fill(`${user}@localhost`);
  await page.getByLabel(words.password).fill(PASSWORD);
  await page.getByRole('button', { name: words.signIn, exact: true }).click();
  await page.getByRole('button', { name: words.upload }).waitFor();
}

/** Uploads files, and waits for their links. */
export async function upload(page: Page, files: ReturnType<typeof fileOf>[]): Promise<void> {
  const count = await page.locator('.upload .link-box').count();
  await page.locator('input[type=file]').setInputFiles(files);
  await page
    .locator('.upload .link-box')
    .nth(count + files.length - 1)
    .waitFor();
}
