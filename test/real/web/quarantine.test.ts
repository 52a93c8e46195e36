import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { de } from '../../../src/web/page/words/de.ts';
import { en, type Words } from '../../../src/web/page/words/en.ts';
import { httpRequest } from '../../support/http.ts';
import { type Clamd, EICAR, SIGNATURE, startClamd } from '../peers/clamd.ts';
import type { PageTab, Screen } from '../peers/page-browser.ts';
import { needs } from '../peers/peers.ts';
import { getSlot, uploadFile } from '../support/slots.ts';
import { goTo, signInByPassword } from './page-actions.ts';
import { type PageTestbed, startPageTestbed } from './page-testbed.ts';

const DESKTOP: Screen = { width: 1280, height: 900, colorScheme: 'light', locale: 'en-GB' };
const PHONE: Screen = { width: 360, height: 740, colorScheme: 'dark', locale: 'de-DE' };
const OWNER = 'juliet@localhost';

describe('the page for infected and blocked files', {
  skip: needs('clamd', 'chromium', 'prosody', 'slixmpp'),
}, () => {
  let clamd: Clamd;
  let testbed: PageTestbed;

  before(async () => {
    clamd = await startClamd();
    const uploads = { scan: { clamd: `unix:${clamd.socket}` } };
    testbed = await startPageTestbed(undefined, { slot_api: {}, uploads });
  });
  after(async () => {
    await testbed?.stop();
    await clamd?.stop();
  });

  /** Sends an infected file, and returns its download link. */
  async function infect(name: string, ending = ''): Promise<string> {
    const body = Buffer.from(EICAR + ending);
    const slot = await getSlot(testbed.porter, { jid: OWNER, name, size: body.length });
    assert.equal((await httpRequest(slot.put, { method: 'PUT', body })).status, 422);
    return slot.get;
  }

  async function open(screen: Screen, user: string, words: Words): Promise<PageTab> {
    const tab = await testbed.open(screen);
    await signInByPassword(tab.page, testbed, user, words);
    await goTo(tab.page, 'quarantine');
    await tab.page.getByRole('heading', { name: words.blockedFiles }).waitFor();
    return tab;
  }

  test('an admin examines, blocks, unblocks, releases and deletes an infected file', async () => {
    const link = await infect('false alarm.txt');
    await infect('virus.txt', ' again');
    const tab = await open(DESKTOP, 'romeo', en);
    const { page, check } = tab;
    const dialog = page.getByRole('dialog');
    await page.getByText(SIGNATURE).first().waitFor();
    await check();

    const saving = page.waitForEvent('download');
    await page.getByRole('link', { name: en.downloadFile('virus.txt') }).click();
    assert.match((await saving).suggestedFilename(), /^infected-\w{26}\.bin$/);

    await page.getByRole('button', { name: en.blockFile('false alarm.txt') }).click();
    await dialog.getByLabel(en.reason).fill('malware');
    await check();
    await dialog.getByRole('button', { name: en.block }).click();
    await page.getByRole('cell', { name: 'malware' }).waitFor();
    await check();
    await page.getByRole('button', { name: en.unblock }).click();
    await dialog.getByRole('button', { name: en.unblock }).click();
    await page.getByText(en.noBlockedFiles).waitFor();

    await page.getByRole('button', { name: en.releaseFile('false alarm.txt') }).click();
    await dialog.getByRole('button', { name: en.release }).click();
    await page
      .getByRole('button', { name: en.releaseFile('false alarm.txt') })
      .waitFor({ state: 'detached' });
    assert.equal((await httpRequest(link)).text, EICAR);
    await page.getByRole('button', { name: en.deleteNamed('virus.txt') }).click();
    await dialog.getByRole('button', { name: en.delete }).click();
    await page.getByText(en.noInfectedFiles).waitFor();
    await check();
    await tab.close();
  });

  test('an admin blocks a stored file from the list of all files, with all its copies', async () => {
    const links = [];
    for (const name of ['a.txt', 'b.txt']) {
      links.push(await uploadFile(testbed.porter, Buffer.from('unwanted'), { jid: OWNER, name }));
    }
    const tab = await open(PHONE, 'romeo', de);
    const { page, check } = tab;
    await check();
    await goTo(page, 'all-files');
    await page.getByRole('button', { name: de.detailsOf('a.txt') }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: de.block }).click();
    await dialog.getByLabel(de.reason).fill('Werbung');
    await dialog.getByRole('button', { name: de.block }).click();
    await page.locator('.notice').waitFor();
    for (const link of links) assert.equal((await httpRequest(link)).status, 404);
    const slot = await getSlot(testbed.porter, { jid: OWNER, name: 'c.jpg', size: 8 });
    assert.equal((await httpRequest(slot.put, { method: 'PUT', body: Buffer.from('unwanted') })).status, 422);
    await check();
    await tab.close();
  });

  test('a moderator sees and deletes infected files, and nothing else', async () => {
    await infect('virus.txt');
    const tab = await open(DESKTOP, 'mercutio', en);
    const { page, check } = tab;
    await page.getByText(SIGNATURE).first().waitFor();
    for (const name of [en.releaseFile('virus.txt'), en.blockFile('virus.txt'), en.block]) {
      assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
    }
    assert.equal(await page.getByRole('link', { name: en.downloadFile('virus.txt') }).count(), 0);
    await page.getByRole('button', { name: en.deleteNamed('virus.txt') }).click();
    await page.getByRole('dialog').getByRole('button', { name: en.delete }).click();
    await page.getByText(en.noInfectedFiles).waitFor();
    await check();
    await tab.close();
  });
});
