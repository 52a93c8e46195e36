import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import { mediaTypeEssence } from '../../policy/media-type.ts';
import { type FormFields, parseFormOrText } from '../common/form-fields.ts';
import { hasBody, readBody } from '../common/read-body.ts';
import { MESSAGE_FIELDS, parseJsonFields } from './message-fields.ts';
import { type MessageBody, type MultipartOptions, readMultipart } from './multipart-form.ts';

/** Supported types, in the order in which an error lists them. */
export const MESSAGE_MEDIA_TYPES = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/json',
  'multipart/form-data',
] as const;

const EMPTY_BODY: MessageBody = { fields: new Map(), files: [], discard: async () => undefined };

/** Reads the body of a message request. Of the parameters of its type only the charset matters. Throws `Refusal`. */
export async function readMessageBody(req: IncomingMessage, options: MultipartOptions): Promise<MessageBody> {
  const contentType = req.headers['content-type'] ?? '';
  const format = MESSAGE_MEDIA_TYPES.find((known) => known === mediaTypeEssence(contentType));
  if (format === undefined) {
    if (contentType === '' && !hasBody(req)) return EMPTY_BODY;
    throw unsupportedMediaType();
  }
  if (format === 'multipart/form-data') return await readMultipart(req, contentType, options);
  const { maxTextBytes: maxBytes, idleTimeoutMs, memoryBudget } = options;
  const bytes = await readBody(req, { maxBytes, idleTimeoutMs, memoryBudget, content: 'message' });
  const text = decodeText(bytes, contentType);
  return { ...EMPTY_BODY, fields: toFields(format, text) };
}

export function unsupportedMediaType(): Refusal {
  const text = `The Content-Type must be one of ${MESSAGE_MEDIA_TYPES.join(', ')}.`;
  return new Refusal('media_type_unknown', { text });
}

function toFields(
  format: Exclude<(typeof MESSAGE_MEDIA_TYPES)[number], 'multipart/form-data'>,
  text: string,
): FormFields {
  if (format === 'application/json') return parseJsonFields(text);
  return format === 'text/plain' ? new Map([['body', [text]]]) : parseFormOrText(text, MESSAGE_FIELDS);
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;

function decodeText(bytes: Buffer, contentType: string): string {
  const charset = CHARSET.exec(contentType)?.[1] ?? 'utf-8';
  const decoder = createDecoder(charset);
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new Refusal('bad_request', {
      text: `The body is not valid ${charset}. Name its charset in the Content-Type.`,
      cause: error,
    });
  }
}

function createDecoder(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch (error) {
    throw new Refusal('media_type_unknown', {
      text: 'The charset of the body is not supported. Send UTF-8.',
      cause: error,
    });
  }
}
