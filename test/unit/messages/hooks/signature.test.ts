import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { Refusal } from '../../../../src/base/errors.ts';
import { verifyWebhookSignature } from '../../../../src/messages/hooks/signature.ts';

const SECRET = "It's a Secret to Everybody";
const BODY = Buffer.from('Hello, World!');
const mac = (text: string | Buffer, secret = SECRET) =>
  createHmac('sha256', secret).update(text).digest('hex');
const refused = (headers: Record<string, string>, texts: readonly (string | Buffer)[] = [BODY]) =>
  assert.throws(
    () => verifyWebhookSignature(SECRET, headers, texts),
    (error) => error instanceof Refusal && error.code === 'signature_wrong',
  );

describe('A signed request', () => {
  test("is accepted with the example of GitHub's documentation", () => {
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
    verifyWebhookSignature(SECRET, { 'x-hub-signature-256': signature }, [BODY]);
  });

  test('is accepted with the headers of Gitea, Forgejo, Gogs and Grafana', () => {
    for (const name of [
      'x-gitea-signature',
      'x-forgejo-signature',
      'x-gogs-signature',
      'x-grafana-alerting-signature',
    ]) {
      verifyWebhookSignature(SECRET, { [name]: mac(BODY) }, [BODY]);
    }
  });

  test('of Gitea as a form is accepted by the signature of its payload', () => {
    verifyWebhookSignature(SECRET, { 'x-gitea-signature': mac('{"a":1}') }, [
      'payload=%7B%22a%22%3A1%7D',
      '{"a":1}',
    ]);
  });

  test('is refused with a missing, wrong or unsupported signature', () => {
    refused({});
    refused({ 'x-hub-signature-256': '' });
    refused({ 'x-hub-signature': `sha1=${'0'.repeat(40)}` });
    refused({ 'x-gitea-signature': mac(BODY, 'another') });
    refused({ 'x-gitea-signature': mac('another') });
    refused({ 'x-gitea-signature': `${mac(BODY)}00` });
  });
});
