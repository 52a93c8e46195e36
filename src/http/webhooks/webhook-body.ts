import { Refusal } from '../../base/errors.ts';
import { mediaTypeEssence } from '../../policy/media-type.ts';
import { looksLikeForm } from '../common/form-fields.ts';
import { decodeUtf8, parseJsonText } from '../common/read-body.ts';

/** The parsed body of a webhook. */
export interface WebhookBody {
  /** JSON, the fields of a form, or text. */
  readonly payload: unknown;
  /** The texts that a signature may cover: the body, and the JSON inside a form. */
  readonly signedTexts: readonly (Buffer | string)[];
}

/** Form fields that carry JSON: `payload` of Slack and GitHub, `data` of Uptime Kuma, `payload_json` of Discord. */
const JSON_FIELDS = ['payload', 'data', 'payload_json'];

/**
 * Parses a body by its Content-Type. Many programs send none or a wrong one, so a body that looks like JSON is read as JSON.
 * Throws `Refusal`.
 */
export async function parseWebhookBody(bytes: Buffer, contentType: string): Promise<WebhookBody> {
  const type = mediaTypeEssence(contentType);
  if (type === 'application/json' || type.endsWith('+json')) {
    return { payload: parseJsonText(decodeUtf8(bytes)), signedTexts: [bytes] };
  }
  if (type === 'multipart/form-data') return fromForm(bytes, await readMultipart(bytes, contentType));
  const isFormType = type === 'application/x-www-form-urlencoded';
  if (isFormType || type === '' || type === 'text/plain') {
    const text = decodeUtf8(bytes);
    const json = tryParseJson(text, bytes);
    if (json) return json;
    return isFormType && looksLikeForm(text)
      ? fromForm(bytes, new URLSearchParams(text))
      : { payload: text, signedTexts: [bytes] };
  }
  throw new Refusal('media_type_unknown', {
    text: 'The Content-Type must be application/json, application/x-www-form-urlencoded, multipart/form-data or text/plain.',
  });
}

function tryParseJson(text: string, bytes: Buffer): WebhookBody | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return { payload: JSON.parse(text), signedTexts: [bytes] };
  } catch {
    return undefined;
  }
}

function fromForm(bytes: Buffer, form: Iterable<readonly [string, unknown]>): WebhookBody {
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of form) if (typeof value === 'string') fields[name] ??= value;
  const json = JSON_FIELDS.map((name) => fields[name]).find((text) => /^\s*\{/.test(text ?? ''));
  if (json !== undefined) return { payload: parseJsonText(json), signedTexts: [bytes, json] };
  return { payload: { ...fields }, signedTexts: [bytes] };
}

/** Files among the parts are ignored. */
async function readMultipart(bytes: Buffer, contentType: string): Promise<FormData> {
  try {
    const body = new Uint8Array(bytes);
    return await new Response(body, { headers: { 'Content-Type': contentType } }).formData();
  } catch (error) {
    throw new Refusal('bad_request', { text: 'The form is incomplete or malformed.', cause: error });
  }
}
