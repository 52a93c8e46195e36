import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../base/errors.ts';
import { mediaTypeEssence } from '../../policy/media-type.ts';
import { RequestBody } from '../common/request-body.ts';
import { type FormFields, parseFormOrText, parseJsonFields } from './message-fields.ts';
import { type MessageBody, type MultipartOptions, readMultipart } from './multipart-form.ts';

/** What is understood, in the order in which it is told. */
export const MESSAGE_MEDIA_TYPES = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/json',
  'multipart/form-data',
] as const;

const NOTHING: MessageBody = { fields: new Map(), files: [], discard: async () => undefined };

/** Reads the body of a request, whatever of these it is; parameters of its type do not matter but for a charset. */
export async function readMessageBody(req: IncomingMessage, options: MultipartOptions): Promise<MessageBody> {
  const contentType = req.headers['content-type'] ?? '';
  const format = MESSAGE_MEDIA_TYPES.find((known) => known === mediaTypeEssence(contentType));
  if (format === undefined) {
    if (contentType === '' && hasNoBody(req)) return NOTHING;
    throw unsupportedMediaType();
  }
  if (format === 'multipart/form-data') return await readMultipart(req, contentType, options);
  const text = decode(await readShortBody(req, options), contentType);
  return { ...NOTHING, fields: readText(format, text) };
}

export function unsupportedMediaType(): Refusal {
  const text = `The Content-Type must be one of ${MESSAGE_MEDIA_TYPES.join(', ')}.`;
  return new Refusal('media_type_unknown', { text });
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}

function readText(
  format: Exclude<(typeof MESSAGE_MEDIA_TYPES)[number], 'multipart/form-data'>,
  text: string,
): FormFields {
  if (format === 'application/json') return parseJsonFields(text);
  return format === 'text/plain' ? new Map([['body', [text]]]) : parseFormOrText(text);
}

/** The whole of a short body; `message_too_large` as soon as it is more. */
export async function readShortBody(
  req: IncomingMessage,
  { maxTextBytes, idleTimeoutMs, memoryBudget }: Omit<MultipartOptions, 'fileLimits'>,
): Promise<Buffer> {
  const tooLarge = () =>
    new Refusal('message_too_large', { text: `The message is too long: at most ${maxTextBytes} bytes.` });
  if (Number(req.headers['content-length'] ?? 0) > maxTextBytes) throw tooLarge();
  const body = new RequestBody(req, { idleTimeoutMs });
  const chunks: Buffer[] = [];
  for await (const batch of body.batches(memoryBudget, (size) =>
    size > maxTextBytes ? tooLarge() : undefined,
  )) {
    for (const chunk of batch) chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;

function decode(bytes: Buffer, contentType: string): string {
  const charset = CHARSET.exec(contentType)?.[1] ?? 'utf-8';
  const decoder = openDecoder(charset);
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new Refusal('bad_request', {
      text: `The body is not valid ${charset}. Say its charset in the Content-Type.`,
      cause: error,
    });
  }
}

function openDecoder(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch (error) {
    throw new Refusal('media_type_unknown', {
      text: 'The charset of the body is not known here.',
      cause: error,
    });
  }
}
