import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { de } from '../../../src/web/page/words/de.ts';
import { en } from '../../../src/web/page/words/en.ts';
import { httpRequest } from '../../support/http.ts';
import { wholePng } from '../../support/picture-samples.ts';
import { needs } from '../peers/peers.ts';
import { sendSlotRequest, uploadFile } from '../support/slots.ts';
import {
  DESKTOP,
  fileOf,
  goTo,
  PHONE,
  rows,
  signInByPassword,
  takeScreenshot,
  upload,
} from './page-actions.ts';
import { HOOK_TOKEN, type PageTestbed, startPageTestbed } from './page-testbed.ts';

const DAY_MS = 86_400_000;
/** The time that the page gives it. */
const DOCTOR_TIMEOUT_MS = 180_000;

/** Gives a new service a past that leads to its present: 30 days of uploads, as the ledger has them. */
function writeHistory(folder: string): void {
  const [file = ''] = globSync('**/porter.db', { cwd: folder });
  const db = new DatabaseSync(join(folder, file));
  const count = db.prepare(
    'insert or replace into daily_counts (day, uploads, downloads, refusals) values (?, ?, ?, ?)',
  );
  const sample = db.prepare('insert or replace into usage_history (at, files, bytes) values (?, ?, ?)');
  const { files, bytes } = db
    .prepare('select sum(uploads) as files, sum(bytes) as bytes from totals')
    .get() as {
    files: number;
    bytes: number;
  };
  const today = Date.now() - (Date.now() % DAY_MS);
  for (let ago = 29; ago > 0; ago -= 1) {
    const wave = Math.round(20 * Math.sin(ago / 1.1)) + ((ago * 7) % 11);
    count.run(today - ago * DAY_MS, 60 - ago + wave, 300 - 5 * ago + 4 * wave, (ago * 5) % 7);
    const part = ((30 - ago) / 30) ** 1.5;
    sample.run(today - ago * DAY_MS, Math.round(files * part), Math.round(bytes * part));
  }
  const hour = Date.now() - (Date.now() % 3_600_000);
  sample.run(hour, files, bytes);
  db.close();
}

/** Files of other users, so that the pictures of the page show some. */
const FILES = [
  ['talk of Tuesday.ogg', 'audio/ogg', Buffer.alloc(2_400_000), 'mercutio@localhost'],
  ['garden.jpg', 'image/jpeg', wholePng(900, 600), 'juliet@localhost'],
  ['minutes of the meeting.txt', 'text/plain', Buffer.alloc(9_000, 'x'), 'juliet@localhost'],
] as const;

describe('The web page for admins', { skip: needs('chromium', 'prosody', 'slixmpp') }, () => {
  let testbed: PageTestbed;
  before(async () => {
    testbed = await startPageTestbed(undefined, { slot_api: {} });
    await httpRequest(`${testbed.porter.url}/msg/hooks/${HOOK_TOKEN}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'User-Agent': 'Forgejo' },
      body: '{}',
    });
    for (const [name, type, bytes, jid] of FILES)
      await uploadFile(testbed.porter, bytes, { name, type, jid });
    const refused = { jid: 'juliet@localhost', name: 'film.mkv', size: 6_000_000 };
    assert.equal((await sendSlotRequest(testbed.porter, refused)).status, 413);
  });
  after(() => testbed?.stop());

  for (const screen of [DESKTOP, PHONE]) {
    test(`serves admins at a width of ${screen.width} pixels`, async () => {
      const words = screen === PHONE ? de : en;
      const kept = `width ${screen.width}.txt`;
      const tab = await testbed.open(screen);
      const { page, check } = tab;
      await signInByPassword(tab.page, testbed, 'romeo', words);
      await upload(page, [fileOf(kept, 'text'), fileOf('to remove.txt', 'text')]);
      const link = await page.locator('.upload input').nth(1).inputValue();

      await goTo(page, 'all-files');
      await page.getByLabel(words.select('garden.jpg')).waitFor();
      await check();
      if (screen === DESKTOP) await takeScreenshot(page, 'all-files');
      await page.getByLabel(words.owner).fill('romeo@localhost');
      await page.waitForURL(/owner=romeo/);
      await page.getByLabel(words.select(kept)).waitFor();
      await page.getByLabel(words.select('garden.jpg')).waitFor({ state: 'detached' });
      await page.getByLabel(words.findLink).fill(link);
      await page.getByRole('button', { name: words.findFile }).click();
      await rows(page).nth(1).waitFor({ state: 'detached' });
      await page.getByRole('button', { name: words.deleteNamed('to remove.txt') }).click();
      await page.getByLabel(words.reason).fill('spam');
      await page.getByRole('dialog').getByRole('button', { name: words.delete }).click();
      await page.locator('.notice').waitFor();
      assert.equal((await httpRequest(link)).status, 404);

      await goTo(page, 'users');
      await check();
      await page.getByRole('link', { name: 'romeo@localhost' }).click();
      await page.getByRole('heading', { name: words.forget }).waitFor();
      await check();
      await goTo(page, 'refusals');
      await page.getByText('film.mkv').waitFor();
      await check();
      await goTo(page, 'why');
      await page.getByLabel(words.whyTarget).fill(link);
      await page.getByRole('button', { name: words.explain }).click();
      await page.locator('.answer').waitFor();
      await check();
      writeHistory(testbed.porter.folder);
      await goTo(page, 'status');
      await page.getByText('upload.localhost').waitFor();
      await page.getByText(words.dayCounts.downloads, { exact: true }).first().waitFor();
      await page.getByText(words.asTable).click();
      await check();
      await page.getByText(words.asTable).click();
      await takeScreenshot(page, screen === DESKTOP ? 'status' : 'status-phone');
      if (screen === DESKTOP) {
        await page.getByRole('button', { name: words.runDoctor }).click();
        await page.locator('.finding').first().waitFor({ timeout: DOCTOR_TIMEOUT_MS });
        await check();
      }
      await goTo(page, 'hooks');
      await page.getByText('127.0.0.1, Forgejo').waitFor();
      await page.getByRole('button', { name: words.sendTestOf('builds') }).click();
      await page.getByText(`mercutio@localhost: ${words.sendStates.sent}`).waitFor();
      await check();
      await takeScreenshot(page, screen === DESKTOP ? 'hooks' : 'hooks-phone');
      await goTo(page, 'config');
      await page.getByLabel(words.address).fill('juliet@localhost');
      await page.getByRole('button', { name: words.findFile }).click();
      await page.getByText('access[0]').waitFor();
      await check();
      await goTo(page, 'audit');
      await page.locator('tbody tr').first().waitFor();
      await check();
      await tab.close();
    });
  }

  test('shows moderators the files of all, but neither the configuration nor forgetting', async () => {
    const tab = await testbed.open(DESKTOP);
    await signInByPassword(tab.page, testbed, 'mercutio');
    const views = await tab.page.locator('.navigation a').allInnerTexts();
    const { files, trash, guestLinks, account, allFiles, allTrash, quarantine, users, refusals, why } =
      en.views;
    assert.deepEqual(views, [
      files,
      trash,
      guestLinks,
      account,
      allFiles,
      allTrash,
      quarantine,
      users,
      refusals,
      why,
    ]);
    await tab.page.goto(`${testbed.pageUrl}#/user/romeo%40localhost`);
    await tab.page.getByRole('heading', { name: en.deleteFilesOf }).waitFor();
    assert.equal(await tab.page.getByRole('heading', { name: en.forget }).count(), 0);
    await tab.close();
  });
});
