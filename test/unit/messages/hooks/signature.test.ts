import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { Refusal } from '../../../../src/base/errors.ts';
import { verifyWebhookSignature } from '../../../../src/messages/hooks/signature.ts';

const SECRET = "It's a Secret to Everybody";
const BODY = Buffer.from('Hello, World!');
const mac = (text: string | Buffer, secret = SECRET) =>
  createHmac('sha256', secret).update(text).digest('hex');
const NOW = Date.UTC(2026, 10, 20);
const verify = (
  headers: Record<string, string>,
  texts: readonly (string | Buffer)[] = [BODY],
  { secret = SECRET, now = NOW } = {},
) => verifyWebhookSignature({ secret, headers, texts, now });
const refused = (...[headers, texts, options]: Parameters<typeof verify>) =>
  assert.throws(
    () => verify(headers, texts, options),
    (error) => error instanceof Refusal && error.code === 'signature_wrong',
  );

describe('A signed request', () => {
  test("is accepted with the example of GitHub's documentation", () => {
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
    verify({ 'x-hub-signature-256': signature }, [BODY]);
  });

  test('is accepted with the headers of Gitea, Forgejo, Gogs and Grafana', () => {
    for (const name of [
      'x-gitea-signature',
      'x-forgejo-signature',
      'x-gogs-signature',
      'x-grafana-alerting-signature',
    ]) {
      verify({ [name]: mac(BODY) }, [BODY]);
    }
  });

  test('of Gitea as a form is accepted by the signature of its payload', () => {
    verify({ 'x-gitea-signature': mac('{"a":1}') }, ['payload=%7B%22a%22%3A1%7D', '{"a":1}']);
  });

  test('is refused with a missing, wrong or unsupported signature', () => {
    refused({});
    refused({ 'x-hub-signature-256': '' });
    refused({ 'x-hub-signature': `sha1=${'0'.repeat(40)}` });
    refused({ 'x-gitea-signature': mac(BODY, 'another') });
    refused({ 'x-gitea-signature': mac('another') });
    refused({ 'x-gitea-signature': `${mac(BODY)}00` });
  });

  test('of Sentry is accepted with its header', () => {
    verify({ 'sentry-hook-signature': mac(BODY) });
    refused({ 'sentry-hook-signature': mac('another') });
  });
});

describe('A request of GitLab', () => {
  // The example of the specification of Standard Webhooks.
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
  const secret = `whsec_${key.toString('base64')}`;
  const seconds = String(NOW / 1000);
  const sign = (by: Buffer | string, time = seconds, body: string | Buffer = BODY) =>
    createHmac('sha256', by).update(`msg_1.${time}.`).update(body).digest('base64');
  const headers = (signature: string, time = seconds) => ({
    'webhook-id': 'msg_1',
    'webhook-timestamp': time,
    'webhook-signature': signature,
  });

  test('is accepted with the secret token', () => {
    verify({ 'x-gitlab-token': SECRET });
    refused({ 'x-gitlab-token': `${SECRET}x` });
    refused({ 'x-gitlab-token': '' });
  });

  test('is accepted with the signature of a signing token, in Base64 or as text', () => {
    verify(headers(`v1,${sign(key)}`), [BODY], { secret });
    verify(headers(`v1,AAAA v1a,x v1,${sign(key)}`), [BODY], { secret });
    verify(headers(`v1,${sign(SECRET)}`));
  });

  test('is refused if it is changed, old, from the future, or incomplete', () => {
    refused(headers(`v1,${sign(key, seconds, 'another')}`), [BODY], { secret });
    refused(headers(`v1,${sign(key)}`), [BODY], { secret, now: NOW + 301_000 });
    refused(headers(`v1,${sign(key)}`), [BODY], { secret, now: NOW - 301_000 });
    refused({ ...headers(`v1,${sign(key)}`), 'webhook-id': 'msg_2' }, [BODY], { secret });
    refused(headers(`v2,${sign(key)}`), [BODY], { secret });
    refused(headers(`v1,${sign(key, 'x')}`, 'x'), [BODY], { secret });
    refused({ 'webhook-signature': `v1,${sign(key)}` }, [BODY], { secret });
  });

  test('cannot be signed with the few bytes that a secret would be in Base64', () => {
    const weak = 'ab!!!!!!!!!!!!!!!!!!!!!!';
    refused(headers(`v1,${sign(Buffer.from(weak, 'base64'))}`), [BODY], { secret: weak });
    verify(headers(`v1,${sign(weak)}`), [BODY], { secret: weak });
  });
});
