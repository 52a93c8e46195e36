import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { Route } from 'playwright-core';
import { de } from '../../../src/web/page/words/de.ts';
import { en } from '../../../src/web/page/words/en.ts';
import { httpRequest } from '../../support/http.ts';
import { wholePng } from '../../support/picture-samples.ts';
import { needsSharp } from '../../support/pictures.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { limitUploads, type Page, type PageTab, type Screen } from '../peers/page-browser.ts';
import { needs } from '../peers/peers.ts';
import { PASSWORD } from '../support/xmpp-testbed.ts';
import { HOOK_TOKEN, type PageTestbed, startPageTestbed } from './page-testbed.ts';

const DESKTOP: Screen = { width: 1280, height: 800, colorScheme: 'light', locale: 'en-GB' };
const PHONE: Screen = { width: 375, height: 740, colorScheme: 'dark', locale: 'de-DE' };
const SCREENSHOTS = join(import.meta.dirname, '../../../docs/screenshots');
/** `PORTER_SCREENSHOTS=1` writes the pictures of docs/web.md again. */
const writesScreenshots = process.env.PORTER_SCREENSHOTS === '1';

async function takeScreenshot(page: Page, name: string): Promise<void> {
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

const fileOf = (name: string, content: string | Buffer, mimeType = 'text/plain') => ({
  name,
  mimeType,
  buffer: Buffer.from(content as string),
});

/** Bytes of the upload in progress that are sent. */
const SENT = `document.querySelector('.upload progress')?.value ?? 0`;
const THUMBNAIL_WIDTH = `document.querySelector('img.thumbnail')?.naturalWidth ?? 0`;

/** `page.waitForFunction` evaluates code in the page, which its Content-Security-Policy forbids. */
async function waitForValue(
  page: Page,
  expression: string,
  isReached: (value: number) => boolean,
): Promise<void> {
  await waitUntil(async () => isReached(await page.evaluate<number>(expression)));
}

/** The connection of a request with bytes is lost. Others pass. */
const losePatch = (route: Route) => (route.request().method() === 'PATCH' ? route.abort() : route.continue());

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

const hasThumbnails = needsSharp() === false;
/** Its decoder ignores its declared type and the zeros behind its end. */
const PICTURE = Buffer.concat([wholePng(800, 600), Buffer.alloc(1_300_000)]);

/** English in light on a desktop, German in dark on a phone. */
describe('The web page', { skip: needs('chromium', 'prosody', 'slixmpp') }, () => {
  let testbed: PageTestbed;
  before(async () => {
    testbed = await startPageTestbed();
    await httpRequest(`${testbed.porter.url}/msg/hooks/${HOOK_TOKEN}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'User-Agent': 'Forgejo' },
      body: '{}',
    });
    await refuseSlot('juliet');
  });
  after(() => testbed?.stop());

  /** A refused upload, without a browser, which would report the failed request. */
  async function refuseSlot(user: string): Promise<void> {
    const api = `${testbed.pageUrl}api/v1`;
    const headers = { 'Content-Type': 'application/json' };
    const body = JSON.stringify({ jid: `${user}@localhost`, password: PASSWORD });
    const session = await httpRequest(`${api}/session`, { method: 'POST', headers, body });
    const { csrfToken } = JSON.parse(session.text) as { csrfToken: string };
    const cookie = session.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    const refused = await httpRequest(`${api}/slots`, {
      method: 'POST',
      headers: { ...headers, Cookie: cookie, 'X-CSRF-Token': csrfToken },
      body: JSON.stringify({ name: 'film.mkv', size: 6_000_000 }),
    });
    assert.equal(refused.status, 413, refused.text);
  }

  const rows = (page: Page) => page.locator('table.files tbody tr');
  const goTo = (page: Page, view: string) => page.locator(`.navigation a[href="#/${view}"]`).click();

  async function signInByPassword({ page }: PageTab, user: string, words = en): Promise<void> {
    await page.goto(testbed.pageUrl);
    await page.getByRole('button', { name: words.usePassword }).click();
    await page.getByLabel(words.address).fill(`${user}@localhost`);
    await page.getByLabel(words.password).fill(PASSWORD);
    await page.getByRole('button', { name: words.signIn, exact: true }).click();
    await page.getByRole('button', { name: words.upload }).waitFor();
  }

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

  async function upload(page: Page, files: ReturnType<typeof fileOf>[]): Promise<void> {
    const count = await page.locator('.upload .link-box').count();
    await page.locator('input[type=file]').setInputFiles(files);
    await page
      .locator('.upload .link-box')
      .nth(count + files.length - 1)
      .waitFor();
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
    await signInByPassword(tab, 'romeo');
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

  test('starts also in a browser that blocks the storage', async () => {
    const tab = await testbed.open(DESKTOP);
    const get = `get() { throw new DOMException('The operation is insecure.', 'SecurityError'); }`;
    await tab.page.addInitScript(`Object.defineProperty(window, 'localStorage', { ${get} })`);
    await signInByPassword(tab, 'romeo');
    await tab.close();
  });

  test('uploads files that are dropped, pasted and shared, shows the text of a refusal, and tries again', async () => {
    const tab = await testbed.open(DESKTOP);
    const { page } = tab;
    await signInByPassword(tab, 'mercutio');
    for (const type of ['drop', 'paste']) {
      await page.evaluate(`(() => {
        const data = new DataTransfer();
        data.items.add(new File(['${type}'], '${type}.txt', { type: 'text/plain' }));
        dispatchEvent('${type}' === 'drop'
          ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
          : new ClipboardEvent('paste', { clipboardData: data }));
      })()`);
      await rows(page).getByText(`${type}.txt`).waitFor();
    }
    // The share sheet of a phone sends a form, which the service worker of the page receives.
    await page.evaluate('navigator.serviceWorker.ready.then(() => {})');
    await page.evaluate(`(() => {
      const form = document.createElement('form');
      Object.assign(form, { method: 'post', enctype: 'multipart/form-data', action: 'share' });
      form.innerHTML = '<input type="file" name="files">';
      const data = new DataTransfer();
      data.items.add(new File(['shared'], 'from the phone.txt', { type: 'text/plain' }));
      form.firstChild.files = data.files;
      document.body.append(form);
      form.submit();
    })()`);
    await rows(page).getByText('from the phone.txt').waitFor();
    await tab.check();
    await page.locator('input[type=file]').setInputFiles([fileOf('film.bin', 'x'.repeat(6_000_000))]);
    await page.locator('.upload p.error-text').getByText('4.8 MiB').waitFor();
    await page.route(/lost\.txt$/, (route) => route.abort(), { times: 1 });
    await page.locator('input[type=file]').setInputFiles([fileOf('lost.txt', 'lost')]);
    await page.locator('.upload', { hasText: 'lost.txt' }).getByRole('button', { name: en.retry }).click();
    await rows(page).getByText('lost.txt').waitFor();
    await tab.close();
  });

  test('pauses an upload, and goes on where it stopped, also after a lost connection', async () => {
    const tab = await testbed.open(PHONE);
    const { page } = tab;
    await signInByPassword(tab, 'mercutio', de);
    const offsets: number[] = [];
    page.on('request', (request) => {
      if (request.method() === 'PATCH') offsets.push(Number(request.headers()['upload-offset']));
    });
    const film = fileOf('film.bin', randomBytes(2_000_000).toString('hex'));
    const row = page.locator('.upload', { hasText: 'film.bin' });

    await limitUploads(page, { bytesPerSecond: 1_000_000 });
    await page.locator('input[type=file]').setInputFiles([film]);
    await waitForValue(page, SENT, (sent) => sent > 500_000);
    await row.getByRole('button', { name: de.pause }).click();
    await row.getByText(de.uploadStates.paused).waitFor();
    await tab.check();
    await page.route(/upload-resource=/, losePatch, { times: 2 });
    await row.getByRole('button', { name: de.resume }).click();
    await row.getByText(de.uploadStates.interrupted).waitFor();
    const link = await row.locator('input').inputValue();

    const got = await httpRequest(link);
    assert.ok(got.body.equals(film.buffer), `${got.status}, ${got.body.length} bytes`);
    assert.equal(offsets[0], 0);
    assert.ok(offsets.length >= 3 && offsets.slice(1).every((offset) => offset > 0), offsets.join());
    await tab.close();
  });

  test('goes on with an upload whose page was closed when the same file is chosen again', async () => {
    const tab = await testbed.open(PHONE);
    const { page } = tab;
    await signInByPassword(tab, 'mercutio', de);
    const bytes = randomBytes(3_000_000);
    const path = join(testbed.porter.folder, 'concert.bin');
    await writeFile(path, bytes);
    const choose = () => page.locator('input[type=file]').setInputFiles(path);
    const unfinished = page.getByRole('region', { name: de.unfinished });
    const isRemembered = () => page.evaluate<boolean>(`localStorage.getItem('porter-uploads') !== null`);

    await limitUploads(page, { bytesPerSecond: 1_000_000 });
    await choose();
    await waitForValue(page, SENT, (sent) => sent > 1_000_000);
    await page.reload();
    await unfinished.getByText(/^Wird bei \d+\s% fortgesetzt$/).waitFor();
    await tab.check();
    const offset = page.waitForRequest((request) => request.method() === 'PATCH');
    await choose();
    assert.ok(Number((await offset).headers()['upload-offset']) > 0);
    const row = page.locator('.upload', { hasText: 'concert.bin' });
    await row.getByText(/^Wird bei \d+\s% fortgesetzt$/).waitFor();
    await tab.check();
    const link = await row.locator('input').inputValue();
    assert.ok((await httpRequest(link)).body.equals(bytes));
    await unfinished.waitFor({ state: 'detached' });
    assert.equal(await isRemembered(), false);

    // Another one is forgotten if it is of another account or has expired, and when the user signs out.
    await choose();
    await waitForValue(page, SENT, (sent) => sent > 500_000);
    await page.reload();
    await unfinished.waitFor();
    const kept = await page.evaluate<string>(`localStorage.getItem('porter-uploads')`);
    const reloadWith = async (value: string) => {
      await page.evaluate(`localStorage.setItem('porter-uploads', ${JSON.stringify(value)})`);
      await page.reload();
      await page.getByRole('button', { name: de.upload }).waitFor();
    };
    for (const value of [
      kept.replace('mercutio@', 'romeo@'),
      kept.replace(/"expiresAt":\d+/, '"expiresAt":1'),
    ]) {
      await reloadWith(value);
      assert.equal(await isRemembered(), false);
    }
    await reloadWith(kept);
    await unfinished.waitFor();
    await page.getByRole('button', { name: de.signOut, exact: true }).click();
    await page.getByLabel(de.address).waitFor();
    assert.equal(await isRemembered(), false);
    await tab.close();
  });

  for (const screen of [DESKTOP, PHONE]) {
    test(`serves admins at a width of ${screen.width} pixels`, async () => {
      const words = screen === PHONE ? de : en;
      const kept = `width ${screen.width}.txt`;
      const tab = await testbed.open(screen);
      const { page, check } = tab;
      await signInByPassword(tab, 'romeo', words);
      await upload(page, [fileOf(kept, 'text'), fileOf('to remove.txt', 'text')]);
      const link = await page.locator('.upload input').nth(1).inputValue();

      await goTo(page, 'all-files');
      await page.getByLabel(words.owner).fill('romeo@localhost');
      await page.waitForURL(/owner=romeo/);
      await page.getByLabel(words.select(kept)).waitFor();
      await check();
      if (screen === DESKTOP) await takeScreenshot(page, 'all-files');
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
    await signInByPassword(tab, 'mercutio');
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
