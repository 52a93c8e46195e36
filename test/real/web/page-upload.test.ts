import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Route } from 'playwright-core';
import { de } from '../../../src/web/page/words/de.ts';
import { en } from '../../../src/web/page/words/en.ts';
import { httpRequest } from '../../support/http.ts';
import { limitUploads } from '../peers/page-browser.ts';
import { needs } from '../peers/peers.ts';
import { DESKTOP, fileOf, PHONE, rows, signInByPassword, waitForValue } from './page-actions.ts';
import { type PageTestbed, startPageTestbed } from './page-testbed.ts';

/** Bytes of the upload in progress that are sent. */
const SENT = `document.querySelector('.upload progress')?.value ?? 0`;

/** The connection of a request with bytes is lost. Others pass. */
const losePatch = (route: Route) => (route.request().method() === 'PATCH' ? route.abort() : route.continue());

describe('Uploads on the web page', { skip: needs('chromium', 'prosody', 'slixmpp') }, () => {
  let testbed: PageTestbed;
  before(async () => {
    testbed = await startPageTestbed();
  });
  after(() => testbed?.stop());

  test('uploads files that are dropped, pasted and shared, shows the text of a refusal, and tries again', async () => {
    const tab = await testbed.open(DESKTOP);
    const { page } = tab;
    await signInByPassword(tab.page, testbed, 'mercutio');
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
    await signInByPassword(tab.page, testbed, 'mercutio', de);
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
    await signInByPassword(tab.page, testbed, 'mercutio', de);
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

  test('goes on with an upload whose page was closed also in a browser that refuses locks', async () => {
    const tab = await testbed.open(DESKTOP);
    const { page } = tab;
    await page.addInitScript(`(() => {
      const reject = () => Promise.reject(new DOMException('Access is denied.', 'SecurityError'));
      Object.assign(LockManager.prototype, { query: reject, request: reject });
    })()`);
    await signInByPassword(page, testbed, 'mercutio');
    const bytes = randomBytes(3_000_000);
    const path = join(testbed.porter.folder, 'rehearsal.bin');
    await writeFile(path, bytes);

    await limitUploads(page, { bytesPerSecond: 1_000_000 });
    await page.locator('input[type=file]').setInputFiles(path);
    await waitForValue(page, SENT, (sent) => sent > 1_000_000);
    await page.reload();
    await page.getByRole('region', { name: en.unfinished }).waitFor();
    const offset = page.waitForRequest((request) => request.method() === 'PATCH');
    await page.locator('input[type=file]').setInputFiles(path);
    assert.ok(Number((await offset).headers()['upload-offset']) > 0);
    const link = await page.locator('.upload', { hasText: 'rehearsal.bin' }).locator('input').inputValue();
    assert.ok((await httpRequest(link)).body.equals(bytes));
    await tab.check();
    await tab.close();
  });
});
