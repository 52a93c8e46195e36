import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type HttpResponse, httpRequest, openRequest, readResponse } from '../../support/http.ts';
import { resumableClient } from '../../support/resumable-client.ts';
import { jwt, signV, UUID } from '../../support/test-signed-links-server.ts';
import { type Clamd, EICAR, SIGNATURE, STREAM_MAX_LENGTH, startClamd } from '../peers/clamd.ts';
import { needs } from '../peers/peers.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { runDoctor } from '../support/run-doctor.ts';
import { getSlot, openSlotConfig, sendSlotRequest, uploadFile, waitForTransfers } from '../support/slots.ts';

const SECRET = 'the secret of the server';
const OWNER = 'romeo@example.org';

/** A file larger than what is stored without a claim, with the test signature in the middle. */
const LARGE = Buffer.concat([randomBytes(200_000), Buffer.from(EICAR), randomBytes(200_000)]);
const SMALL = Buffer.from(EICAR);

type ScanOptions = Readonly<Record<string, unknown>>;

describe('uploads with clamd', { skip: needs('clamd') }, () => {
  let clamd: Clamd;
  let porter: PorterProcess;

  const config = (scan: ScanOptions = {}) => ({
    ...openSlotConfig,
    external: { secret: SECRET, path: '/upload/' },
    file_share: { secret: SECRET, path: '/file_share/' },
    uploads: { scan: { clamd: `unix:${clamd.socket}`, ...scan } },
  });

  before(async () => {
    clamd = await startClamd();
    porter = await startPorter({ config: config() });
  });
  after(async () => {
    await porter?.remove();
    await clamd?.stop();
  });

  const put = (link: string, body: Buffer, headers: Record<string, string> = {}) =>
    httpRequest(link, { method: 'PUT', body, headers });

  /** Applies other options, and waits until the server has read them. */
  async function reload(scan: ScanOptions): Promise<void> {
    const lines = porter.program.output.split('reload').length;
    await porter.writeConfig(config(scan));
    porter.program.signal('SIGHUP');
    await porter.program.waitFor('the reload', () => porter.program.output.split('reload').length > lines);
  }

  function assertInfected({ status, text }: HttpResponse): void {
    assert.equal(status, 422, text);
    assert.match(text, /virus scanner has found/);
  }

  /** Log lines arrive after the answers. */
  const logs = (line: RegExp) =>
    porter.program.waitFor(`the log line ${line}`, () => line.test(porter.program.output));

  const putSigned = (name: string, body: Buffer) => {
    const path = `${UUID}/${name}`;
    return put(`${porter.url}/upload/${path}?v=${signV(path, body.length, SECRET)}`, body);
  };

  function putToken(name: string, body: Buffer): Promise<HttpResponse> {
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub: OWNER, slot: UUID, filename: name, filesize: body.length, filetype: 'image/jpeg' };
    const token = jwt({ ...claims, iat: now, exp: now + 300 }, SECRET);
    return put(`${porter.url}/file_share/${UUID}/${name}`, body, { Authorization: `Bearer ${token}` });
  }

  const metric = async (result: string) => {
    const { text } = await httpRequest(`${porter.url}/metrics`);
    return Number(
      new RegExp(`^porter_scan_seconds_count\\{result="${result}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0,
    );
  };

  test('an infected file gets 422 at every kind of link, small and large, as does its repetition', async () => {
    for (const body of [SMALL, LARGE]) {
      const { put: link, get } = await getSlot(porter, { size: body.length });
      const first = await put(link, body);
      assertInfected(first);
      assert.match(first.text, new RegExp(SIGNATURE));
      assertInfected(await put(link, body));
      assert.equal((await httpRequest(get)).status, 404);
      for (const putLink of [putSigned, putToken]) {
        assertInfected(await putLink(`${body.length}.jpg`, body));
        assertInfected(await putLink(`${body.length}.jpg`, body));
      }
    }
    assert.ok((await metric('infected')) >= 10);
    await logs(/upload infected/);
    const { stdout } = await porter.runCommand('stats', '--json');
    const stats = JSON.parse(stdout);
    assert.deepEqual([stats.uploads, stats.pendingUploads], [0, 0], stdout);
  });

  test('an infected file in two parts, cut within its signature, gets 422 at the last one', async () => {
    const { put: link, get } = await getSlot(porter, { size: LARGE.length });
    const client = resumableClient(porter.port, '8');
    const cut = 200_000 + EICAR.length / 2;
    const first = { bytes: LARGE.subarray(0, cut), complete: false };
    const { resource = '' } = await client.create(new URL(link).pathname, first);
    const last = await client.append(resource, { offset: cut, bytes: LARGE.subarray(cut), complete: true });
    assert.deepEqual([last.status, last.complete], [422, true], last.body);
    assert.match(last.body, new RegExp(SIGNATURE));
    assert.equal((await client.head(resource)).status, 404);
    assert.equal((await httpRequest(get)).status, 404);
  });

  test('clean files are stored, small and large, over the socket and over TCP', async () => {
    for (const address of [`unix:${clamd.socket}`, `tcp://127.0.0.1:${clamd.port}`]) {
      await reload({ clamd: address });
      const scanned = await metric('clean');
      for (const body of [Buffer.from('hello'), randomBytes(300_000)]) {
        const link = await uploadFile(porter, body);
        assert.deepEqual((await httpRequest(link)).body, body);
      }
      assert.equal(await metric('clean'), scanned + 2);
    }
    await reload({});
  });

  test('files above max_size, or above the limit of clamd, are stored or refused as configured', async () => {
    const body = Buffer.alloc(STREAM_MAX_LENGTH + 200_000, 'x');
    await uploadFile(porter, body);
    // While its bytes are written, clamd replies and closes the connection.
    for (let round = 0; round < 5; round += 1)
      await uploadFile(porter, Buffer.alloc(12 * STREAM_MAX_LENGTH, 'x'));
    await logs(/StreamMaxLength/);
    const larger = { max_size: '10 KiB' };
    await reload(larger);
    await uploadFile(porter, LARGE);
    await reload({ ...larger, when_larger: 'refuse' });
    const slot = await sendSlotRequest(porter, { size: 20_000 });
    assert.equal(slot.status, 413);
    assert.match(slot.text, /too large for the virus scanner: 19\.5 KiB/);
    assert.equal((await putSigned('larger.jpg', LARGE)).status, 413);
    await reload({ when_larger: 'refuse' });
    const refused = await getSlot(porter, { size: body.length });
    assert.equal((await put(refused.put, body)).status, 413);
    await reload({});
  });

  test('without clamd uploads get 503 or are stored, and are scanned again once it is back', async () => {
    const { put: link } = await getSlot(porter, { size: 5 });
    await clamd.program.stop();
    const refused = await put(link, Buffer.from('hello'));
    assert.equal(refused.status, 503);
    assert.match(refused.text, /virus scanner does not answer/);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    await logs(/virus scanner is not available; uploads are refused/);
    await reload({ when_unavailable: 'accept' });
    await uploadFile(porter, LARGE);
    await reload({});
    await clamd.restart();
    assert.equal((await put(link, Buffer.from('hello'))).status, 201);
    await logs(/virus scanner answers again/);
    assertInfected(await putSigned('again.jpg', SMALL));
  });

  test('an admin lists, releases and deletes infected files, and blocks files by their content', async () => {
    const { put: link, get } = await getSlot(porter, { size: SMALL.length, name: 'false alarm.txt' });
    assertInfected(await put(link, SMALL));
    assertInfected(await putSigned('virus.txt', LARGE));
    const list = async () => JSON.parse((await porter.runCommand('quarantine', '--json')).stdout);
    const found = await list();
    const [alarm] = found.filter(({ name }: { name: string }) => name === 'false alarm.txt');
    const [virus] = found.filter(({ name }: { name: string }) => name === 'virus.txt');
    assert.deepEqual([alarm.owner, alarm.signature, alarm.hasContent], [OWNER, SIGNATURE, true]);
    for (const target of [link, get, alarm.id]) {
      const explained = await porter.runCommand('why', target);
      assert.match(
        explained.stdout,
        /"false alarm\.txt" of romeo.*\n.*has found Porter\.Test.*\n.*--release/,
      );
    }
    const released = await porter.runCommand('quarantine', '--release', alarm.id);
    assert.equal(released.code, 0, released.stderr);
    await porter.program.waitFor('the link', async () => (await httpRequest(get)).status === 200);
    assert.equal((await porter.runCommand('quarantine', '--delete', virus.id)).code, 0);
    assert.ok((await list()).every(({ id }: { id: string }) => ![alarm.id, virus.id].includes(id)));

    const wanted = randomBytes(100_000);
    const kept = await uploadFile(porter, wanted);
    const blocked = await porter.runCommand('block', '--remove-copies', '--reason', 'spam', kept);
    assert.match(blocked.stdout, /blocked\n1 copy deleted/);
    await porter.program.waitFor('the removal', async () => (await httpRequest(kept)).status === 404);
    const again = await getSlot(porter, { size: wanted.length, jid: 'juliet@example.org' });
    const refused = await put(again.put, wanted);
    assert.deepEqual([refused.status, /is blocked/.test(refused.text)], [422, true]);
    const { stdout } = await porter.runCommand('block');
    const [, sha256 = ''] = /([0-9a-f]{64}).*spam/.exec(stdout) ?? [];
    assert.equal((await porter.runCommand('unblock', sha256)).code, 0);
    assert.equal((await put(again.put, wanted)).status, 201);
  });

  test('the doctor asks clamd and uploads the test file, and leaves nothing in the quarantine', async () => {
    const before = (await porter.runCommand('quarantine', '--json')).stdout;
    const diagnosis = await runDoctor(join(porter.folder, 'porter.yml'));
    const findingOf = (check: string) => diagnosis.findings.find((finding) => finding.check === check);
    assert.equal(findingOf('virus scanner')?.state, 'warn', diagnosis.output);
    assert.match(findingOf('virus scanner')?.text ?? '', /signatures are/);
    assert.equal(findingOf('infected upload')?.state, 'ok', diagnosis.output);
    assert.equal((await porter.runCommand('quarantine', '--json')).stdout, before);
  });

  test('a sender whose connection breaks during the upload can try again', async () => {
    const { put: link } = await getSlot(porter, { size: LARGE.length });
    const request = openRequest(link, { method: 'PUT', headers: { 'Content-Length': LARGE.length } });
    const answer = readResponse(request);
    answer.catch(() => undefined);
    await new Promise((resolve) => request.write(LARGE.subarray(0, 100_000), resolve));
    await waitForTransfers(porter, 1);
    request.destroy();
    await waitForTransfers(porter, 0);
    assertInfected(await put(link, LARGE));
  });
});
