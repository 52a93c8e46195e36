import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { Refusal } from '../../../src/base/errors.ts';
import { access } from '../../support/test-services.ts';
import { sample } from '../../unit/messages/hooks/sample-kit.ts';
import { openHooks, PATH, room } from './hook-server.ts';

describe('An image posted to a hook', () => {
  const PNG = Buffer.from('89504e470d0a1a0a', 'hex');

  async function openGrafana(t: TestContext) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      if (request.url !== '/graph.png') response.writeHead(404).end();
      else response.setHeader('Content-Type', 'image/png').end(PNG);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return { asked, host: `localhost:${(server.address() as AddressInfo).port}` };
  }

  const grafana = (imageURL: string) => {
    const [alert] = sample('grafana/one').alerts as object[];
    return { ...sample('grafana/one'), alerts: [{ ...alert, imageURL }] };
  };

  test('is fetched, stored as a file of the hook, and sent after the text', async (t) => {
    const { host } = await openGrafana(t);
    const { ask, bodies, delivered, services, setRules } = await openHooks(t, { images_from: [host] });
    setRules({ access: access({ jid: ['^alerts@upload\\.example\\.org$'] }) });
    const reply = await ask(PATH, grafana(`http://${host}/graph.png`));
    assert.equal(reply.status, 201);
    const [text, link] = bodies();
    assert.match(text ?? '', /High memory usage/);
    assert.match(link ?? '', /\/files\/[0-9a-z]{26}\/graph\.png$/);
    assert.equal(delivered[1]?.message.getChild('x', 'jabber:x:oob')?.getChild('url')?.getText(), link);
    const [upload] = await services.ledger.listUploads({ owner: room.from, limit: 10 });
    assert.equal(upload?.type, 'image/png');
    assert.equal(upload?.size, PNG.length);
  });

  test('that cannot be fetched does not affect the text', async (t) => {
    const { host, asked } = await openGrafana(t);
    const { ask, bodies, setRules } = await openHooks(t, { images_from: [host], max_image_size: 1024 });
    setRules({ access: access({ jid: ['^unknown@'] }) });
    for (const url of [
      `http://${host}/gone.png`,
      'http://elsewhere.example.org/x.png',
      'http://169.254.169.254/',
    ]) {
      assert.equal((await ask(PATH, grafana(url))).status, 201, url);
    }
    const refused = await ask(PATH, grafana(`http://${host}/graph.png`));
    assert.equal(refused.status, 201, 'this hook may not upload');
    assert.equal(bodies().length, 4);
    assert.deepEqual(asked, ['/gone.png', '/graph.png']);
  });

  test('is not fetched if the hook lists no host or the text bounced', async (t) => {
    const { host, asked } = await openGrafana(t);
    const none = await openHooks(t, {});
    await none.ask(PATH, grafana(`http://${host}/graph.png`));
    assert.equal(none.bodies().length, 1);
    const bounced = await openHooks(t, { images_from: [host] });
    bounced.onDeliver(() => {
      throw new Refusal('bounced');
    });
    assert.equal((await bounced.ask(PATH, grafana(`http://${host}/graph.png`))).status, 502);
    assert.deepEqual(asked, []);
  });
});
