import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { networkErrorReason } from '../../../../src/base/errors.ts';
import { httpClient } from '../../../../src/messages/callbacks/http-client.ts';
import { CallbackReceiver } from '../../../support/callback-receiver.ts';

describe('A request to another HTTP server', () => {
  let receiver: CallbackReceiver;
  before(async () => {
    receiver = await CallbackReceiver.listen();
  });
  after(() => receiver.stop());

  const call = (path = '', limits: { maxBytes?: number; signal?: AbortSignal } = {}) =>
    httpClient(
      { method: 'POST', url: new URL(path, receiver.url), headers: { 'X-Own': 'yes' }, body: 'hü' },
      { maxBytes: 1000, signal: AbortSignal.timeout(30_000), ...limits },
    );

  test('returns the response', async () => {
    receiver.respond = () => ({ status: 418, headers: { 'Content-Type': 'text/plain' }, body: 'tea' });
    const { status, body, header } = await call('pot?x=1');
    assert.deepEqual([status, body, header('Content-Type')], [418, 'tea', 'text/plain']);
    const { path, headers, body: sent } = receiver.received.at(-1) ?? {};
    assert.deepEqual([path, headers?.['x-own'], sent], ['/pot?x=1', 'yes', 'hü']);
  });

  test('does not follow redirects', async () => {
    const before = receiver.received.length;
    receiver.respond = () => ({ status: 302, headers: { Location: '/elsewhere' } });
    assert.equal((await call()).status, 302);
    assert.equal(receiver.received.length, before + 1);
  });

  test('reads only text, up to the size limit', async () => {
    receiver.respond = () => ({ status: 200, body: 'x'.repeat(1001) });
    assert.equal((await call()).body, null);
    receiver.respond = () => ({ status: 200, body: 'x'.repeat(1000) });
    assert.equal((await call()).body?.length, 1000);
    receiver.respond = () => ({ status: 200, body: Buffer.from([0xff, 0xfe]) });
    assert.equal((await call()).body, null);
  });

  test('sends the credentials of the URL as a header', async () => {
    receiver.respond = () => ({ status: 200 });
    const url = new URL(receiver.url);
    url.username = 'us er';
    url.password = 'p:w';
    await httpClient(
      { method: 'POST', url, headers: {} },
      { maxBytes: 9, signal: AbortSignal.timeout(30_000) },
    );
    const { authorization } = receiver.received.at(-1)?.headers ?? {};
    assert.equal(authorization, `Basic ${Buffer.from('us er:p:w').toString('base64')}`);
  });

  test('ends at the timeout, with a reason that does not contain the URL', async () => {
    receiver.respond = () => new Promise(() => {});
    await assert.rejects(call('?secret', { signal: AbortSignal.timeout(20) }), (error) => {
      assert.equal(networkErrorReason(error), 'TimeoutError');
      return true;
    });
    await receiver.stop();
    await assert.rejects(call('?secret'), (error) => {
      assert.equal(networkErrorReason(error), 'ECONNREFUSED');
      return true;
    });
    await receiver.start();
  });
});
