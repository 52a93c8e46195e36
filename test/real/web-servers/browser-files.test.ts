import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { Chromium } from '../peers/chromium.ts';
import { needs } from '../peers/peers.ts';
import { oggSample, recordVideo, wavSample } from '../support/media-samples.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';

/** 1 × 1 pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Names that clients send, and the names under which Chromium saves the files. It replaces characters that Windows forbids. */
const SAVED: readonly (readonly [given: string, saved: string])[] = [
  ['Перечень юр лиц и услуг.xlsx', 'Перечень юр лиц и услуг.xlsx'],
  ['日本語の報告書.pdf', '日本語の報告書.pdf'],
  ['تقرير.docx', 'تقرير.docx'],
  ['Übergröße+%20 & co.jpg', 'Übergröße+%20 & co.jpg'],
  ['/storage/emulated/0/a.jpg', 'a.jpg'],
  ['C:\\Users\\me\\b.jpg', 'b.jpg'],
  ['\u202Egpj.bin', 'gpj.bin'],
  ['..', 'file.bin'],
  ['😀.gif', '😀.gif'],
  ['e\u0301.txt', 'e\u0301.txt'],
  [`${'体'.repeat(90)}.docx`, `${'体'.repeat(78)}.docx`],
];

describe('Chromium', { skip: needs('chromium') }, () => {
  let browser: Chromium;
  let porter: PorterProcess;
  before(async () => {
    browser = await Chromium.start();
    porter = await startPorter({ config: { slot_api: { names: 'utf8' }, access: [{ jid: '.*' }] } });
  });
  after(async () => {
    await browser?.stop();
    await porter?.stop();
  });

  async function upload(name: string, type: string, bytes: Buffer): Promise<string> {
    const fields = { jid: 'romeo@example.org', name, size: String(bytes.length), content_type: type };
    const slot = await httpRequest(`${porter.url}/slot/?${new URLSearchParams(fields)}`);
    assert.equal(slot.status, 200, slot.text);
    const [put = '', get = ''] = slot.text.split('\n');
    assert.equal((await httpRequest(put, { method: 'PUT', body: bytes })).status, 201);
    return get;
  }

  for (const [given, saved] of SAVED) {
    const title =
      given.length > 40 ? `${given.slice(0, 8)}… of ${given.length} characters` : JSON.stringify(given);
    test(`saves a file that was sent as ${title} under its real name`, async () => {
      const link = await upload(given, 'application/octet-stream', Buffer.from('x'));
      assert.equal((await browser.save(link)).normalize(), saved.normalize());
    });
  }

  /** Opens a link directly and waits until its audio or video plays. */
  async function expectPlayback(link: string): Promise<void> {
    assert.equal((await browser.open(link)).error, '');
    const state = () =>
      browser.evaluate(
        "(() => { const m = document.querySelector('video, audio'); return m && (m.error ? 'error ' + m.error.message : m.readyState >= 3 && m.duration > 0 && m.currentTime > 0 ? 'plays' : 'waits'); })()",
      );
    await browser.evaluate("void document.querySelector('video, audio')?.play()");
    await waitUntil(async () => {
      const now = await state();
      if (now.startsWith('error')) assert.fail(`${link}: ${now}`);
      return now === 'plays';
    });
  }

  test('plays audio/wav', async () => expectPlayback(await upload('a.wav', 'audio/wav', wavSample())));
  test('plays audio/ogg', async () => expectPlayback(await upload('a.ogg', 'audio/ogg', oggSample())));
  for (const type of ['video/webm', 'video/mp4']) {
    test(`plays ${type}`, async () => {
      await browser.open('about:blank');
      const recorded = await browser.evaluate(recordVideo(type));
      assert.doesNotMatch(recorded, /^error/);
      await expectPlayback(await upload(`a.${type.slice(6)}`, type, Buffer.from(recorded, 'base64')));
    });
  }

  test('shows images and text', async () => {
    await browser.open(await upload('a.png', 'image/png', PNG));
    assert.equal(await browser.evaluate("document.querySelector('img').naturalWidth"), '1');
    await browser.open(await upload('a.txt', 'text/plain; charset=utf-8', Buffer.from('Grüße')));
    assert.equal(await browser.evaluate('document.body.innerText'), 'Grüße');
  });
});
