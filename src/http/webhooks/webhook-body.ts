import { Refusal } from '../../base/errors.ts';
import { mediaTypeEssence } from '../../policy/media-type.ts';
import { decodeUtf8, parseJsonText } from '../common/decode-body.ts';
import { looksLikeForm } from '../messages/message-fields.ts';

/** What a program has posted. */
export interface WebhookBody {
  /** JSON, the fields of a form, or text. */
  readonly payload: unknown;
  /** What a signature may be of: the body, and the JSON inside of a form. */
  readonly signedTexts: readonly (Buffer | string)[];
}

/** Fields of forms in which programs put their JSON: Slack's and GitHub's, Uptime Kuma's. */
const JSON_FIELDS = ['payload', 'data'];

/** Reads a body by its Content-Type; many programs say none, or a wrong one, so that what looks like JSON is JSON. */
export async function parseWebhookBody(bytes: Buffer, contentType: string): Promise<WebhookBody> {
  const type = mediaTypeEssence(contentType);
  if (type === 'application/json' || type.endsWith('+json')) {
    return { payload: parseJsonText(decodeUtf8(bytes)), signedTexts: [bytes] };
  }
  if (type === 'multipart/form-data') return ofForm(bytes, await readMultipart(bytes, contentType));
  const isFormType = type === 'application/x-www-form-urlencoded';
  if (isFormType || type === '' || type === 'text/plain') {
    const text = decodeUtf8(bytes);
    const json = likelyJson(text, bytes);
    if (json) return json;
    return isFormType && looksLikeForm(text)
      ? ofForm(bytes, new URLSearchParams(text))
      : { payload: text, signedTexts: [bytes] };
  }
  throw new Refusal('media_type_unknown', {
    text: 'The Content-Type must be application/json, application/x-www-form-urlencoded, multipart/form-data or text/plain.',
  });
}

function likelyJson(text: string, bytes: Buffer): WebhookBody | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return { payload: JSON.parse(text), signedTexts: [bytes] };
  } catch {
    return undefined;
  }
}

function ofForm(bytes: Buffer, form: Iterable<readonly [string, unknown]>): WebhookBody {
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of form) if (typeof value === 'string') fields[name] ??= value;
  const json = JSON_FIELDS.map((name) => fields[name]).find((text) => /^\s*\{/.test(text ?? ''));
  if (json !== undefined) return { payload: parseJsonText(json), signedTexts: [bytes, json] };
  return { payload: { ...fields }, signedTexts: [bytes] };
}

/** Files among the parts are nothing that a hook could tell. */
async function readMultipart(bytes: Buffer, contentType: string): Promise<FormData> {
  try {
    const body = new Uint8Array(bytes);
    return await new Response(body, { headers: { 'Content-Type': contentType } }).formData();
  } catch (error) {
    throw new Refusal('bad_request', { text: 'The form is cut off or malformed.', cause: error });
  }
}
