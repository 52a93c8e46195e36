import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { de } from '../../../src/web/page/words/de.ts';
import { en } from '../../../src/web/page/words/en.ts';
import { httpRequest } from '../../support/http.ts';
import { wholePng } from '../../support/picture-samples.ts';
import { needsSharp } from '../../support/pictures.ts';
import type { PageTab } from '../peers/page-browser.ts';
import { needs } from '../peers/peers.ts';
import {
  DESKTOP,
  fileOf,
  goTo,
  PHONE,
  rows,
  signInByPassword,
  takeScreenshot,
  upload,
  waitForValue,
} from './page-actions.ts';
import { type PageTestbed, startPageTestbed } from './page-testbed.ts';

const THUMBNAIL_WIDTH = `document.querySelector('img.thumbnail')?.naturalWidth ?? 0`;

const hasThumbnails = needsSharp() === false;
/** Its decoder ignores its declared type and the zeros behind its end. */
const PICTURE = Buffer.concat([wholePng(800, 600), Buffer.alloc(1_300_000)]);

/** English in light on a desktop, German in dark on a phone. */
describe('The web page for users', { skip: needs('chromium', 'prosody', 'slixmpp') }, () => {
  let testbed: PageTestbed;
  before(async () => {
    testbed = await startPageTestbed();
  });
  after(() => testbed?.stop());

  async function signInByLink({ page }: PageTab, user: 'juliet', words = en): Promise<void> {
    const client = await testbed.login(user);
    await page.goto(testbed.pageUrl);
    await page.getByLabel(words.address).fill(`${user}@localhost`);
    await page.getByRole('button', { name: words.sendLink }).click();
    await page.getByText(words.linkSentHint).waitFor();
    const { body } = await client.run<{ body: string }>('receive');
    await client.logout();
    await page.goto(/http\S+/.exec(body)?.[0] ?? '');
    await page.getByRole('button', { name: words.upload }).waitFor();
  }

  /** A picture in the list and in its details. The other files have icons. */
  async function showThumbnails({ page, check }: PageTab, words: typeof en): Promise<void> {
    await waitForValue(page, THUMBNAIL_WIDTH, (width) => width === 320);
    assert.equal(await page.locator('table.files img').count(), 1);
    assert.equal(await page.locator('table.files .file-icon').count(), 2);
    await page.getByRole('button', { name: words.detailsOf('holiday.jpg') }).click();
    await page.getByRole('img', { name: words.previewOf('holiday.jpg') }).waitFor();
    await check();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  }

  /** Everything that every user does, in one session. */
  async function useAsUser(tab: PageTab, words: typeof en): Promise<void> {
    const { page, check } = tab;
    await check();
    await page.getByText(words.noFiles, { exact: true }).waitFor();

    await upload(page, [
      fileOf('minutes of the meeting.txt', 'x'.repeat(9_000)),
      fileOf('holiday.jpg', PICTURE, 'image/jpeg'),
      fileOf('song.ogg', 'x'.repeat(400_000), 'audio/ogg'),
    ]);
    const upload1 = page.locator('.upload').first();
    const link = await upload1.locator('input').inputValue();
    assert.equal((await httpRequest(link)).text, 'x'.repeat(9_000));
    await upload1.getByRole('button', { name: words.copy }).click();
    await upload1.getByText(words.copied).waitFor();
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), link);
    await upload1.getByRole('button', { name: words.showQr }).click();
    await upload1.locator('.qr path').waitFor();
    await check();
    await page.getByRole('button', { name: words.clearUploads }).click();

    await page.getByLabel(words.sort).selectOption('largest');
    await rows(page).first().getByText('holiday.jpg').waitFor();
    if (hasThumbnails) await showThumbnails(tab, words);
    await page.getByLabel(words.search).fill('SONG');
    await rows(page).nth(1).waitFor({ state: 'detached' });
    assert.match((await rows(page).textContent()) ?? '', /song\.ogg/);
    await page.getByLabel(words.search).fill('');
    await rows(page).nth(2).waitFor();

    await page.getByLabel(words.select('song.ogg')).check();
    await page.getByLabel(words.select('holiday.jpg')).check();
    await page.locator('.selection-bar').getByRole('button', { name: words.delete }).click();
    await page.getByRole('dialog').getByText(words.deleteTitle(2)).waitFor();
    await check();
    await page.getByRole('dialog').getByRole('button', { name: words.delete }).click();
    await rows(page).nth(1).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: words.undo }).click();
    await rows(page).nth(2).waitFor();

    await page.getByRole('button', { name: words.detailsOf('song.ogg') }).click();
    const tomorrow = new Date(Date.now() + 26 * 3_600_000).toISOString().slice(0, 16);
    await page.getByLabel(words.keepUntil).fill(tomorrow);
    await page.getByRole('dialog').getByRole('button', { name: words.save }).click();
    await page.locator('.notice').waitFor();
    await check();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  }

  /** Guest links, tokens, the archive, and deleting everything. */
  async function useAccount(tab: PageTab, user: string, words: typeof en): Promise<void> {
    const { page, check } = tab;
    await goTo(page, 'guest-links');
    await page.getByLabel(words.note).fill('Photos of the party');
    await page.getByRole('button', { name: words.create }).click();
    const guestLink = await page.locator('.made input').inputValue();
    await check();
    const guest = await testbed.open(words === de ? PHONE : DESKTOP);
    await guest.page.goto(guestLink);
    await guest.page.locator('input[type=file]').setInputFiles([fileOf('party.txt', 'party')]);
    await guest.page.getByText(words.guestThanks).waitFor();
    await guest.check();
    await guest.close();
    await page.getByRole('button', { name: words.revokeNamed('Photos of the party') }).click();
    await page.getByText(words.noGuestLinks).waitFor();

    await goTo(page, 'account');
    await page.getByLabel(words.tokenName, { exact: true }).fill('backup script');
    await page.getByRole('button', { name: words.create }).click();
    const token = await page.locator('.made input').inputValue();
    const listed = await httpRequest(`${testbed.pageUrl}api/v1/files`, {
      headers: { Authorization: `Bearer ${token}` },
    });
    assert.match(listed.text, /party\.txt/);
    await check();
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: words.downloadAll }).click();
    assert.match((await download).suggestedFilename(), /\.zip$/);
    await page.getByRole('button', { name: words.deleteEverything }).click();
    await page.getByLabel(words.typeToConfirm(`${user}@localhost`)).fill(`${user}@localhost`);
    await page.getByRole('dialog').getByRole('button', { name: words.deleteEverything }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await goTo(page, 'trash');
    await page.getByLabel(words.select('party.txt')).check();
    await page.getByRole('button', { name: words.restore }).click();
    await page.getByLabel(words.select('party.txt')).waitFor({ state: 'detached' });
    await check();
    await goTo(page, 'account');
    await page.getByRole('button', { name: words.signOutEverywhere }).click();
    await page.getByLabel(words.address).waitFor();
    await check();
  }

  test('serves users on a desktop, who sign in by password', async () => {
    const tab = await testbed.open(DESKTOP);
    await signInByPassword(tab.page, testbed, 'romeo');
    await useAsUser(tab, en);
    await takeScreenshot(tab.page, 'files');
    await useAccount(tab, 'romeo', en);
    await tab.close();
  });

  test('serves users on a phone in German, who sign in by a link in a message', async () => {
    const tab = await testbed.open(PHONE);
    await signInByLink(tab, 'juliet', de);
    await useAsUser(tab, de);
    await takeScreenshot(tab.page, 'files-phone');
    await useAccount(tab, 'juliet', de);
    await tab.close();
  });

  test('works also in a browser that blocks the storage, locks and the clipboard', async () => {
    const { page, check, close } = await testbed.open(DESKTOP);
    await page.addInitScript(`(() => {
      const blocked = () => new DOMException('The operation is insecure.', 'SecurityError');
      const reject = () => Promise.reject(blocked());
      Object.defineProperty(window, 'localStorage', { get() { throw blocked(); } });
      Object.assign(CacheStorage.prototype, { has: reject, open: reject });
      Object.assign(LockManager.prototype, { query: reject, request: reject });
      Clipboard.prototype.writeText = reject;
    })()`);
    await signInByPassword(page, testbed, 'romeo');
    await upload(page, [fileOf('kept nowhere.txt', 'text')]);
    await page.locator('.upload').getByRole('button', { name: en.copy }).click();
    await page.getByText(en.copied).waitFor();
    const link = await page.locator('.upload input').inputValue();
    assert.equal(await page.evaluate('navigator.clipboard.readText()'), link);
    await check();
    await close();
  });
});
