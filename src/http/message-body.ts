import type { IncomingMessage } from 'node:http';
import { Refusal } from '../base/errors.ts';
import { essence } from '../policy/media-type.ts';
import { RequestBody } from './body.ts';
import { type Fields, readFormBody, readJson } from './message-fields.ts';
import { type FormOptions, type MessageForm, readMultipart } from './message-form.ts';

/** What is understood, in the order in which it is told. */
export const MESSAGE_FORMATS = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/json',
  'multipart/form-data',
] as const;

const NOTHING: MessageForm = { fields: new Map(), files: [], discard: async () => undefined };

/** Reads the body of a request, whatever of these it is; parameters of its type do not matter but for a charset. */
export async function readMessageBody(req: IncomingMessage, options: FormOptions): Promise<MessageForm> {
  const contentType = req.headers['content-type'] ?? '';
  const format = MESSAGE_FORMATS.find((known) => known === essence(contentType));
  if (format === undefined) {
    if (contentType === '' && hasNoBody(req)) return NOTHING;
    throw unknownType();
  }
  if (format === 'multipart/form-data') return await readMultipart(req, contentType, options);
  const text = decode(await readAll(req, options), contentType);
  return { ...NOTHING, fields: readText(format, text) };
}

export function unknownType(): Refusal {
  const text = `The Content-Type must be one of ${MESSAGE_FORMATS.join(', ')}.`;
  return new Refusal('media_type_unknown', { text });
}

function hasNoBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
}

function readText(
  format: Exclude<(typeof MESSAGE_FORMATS)[number], 'multipart/form-data'>,
  text: string,
): Fields {
  if (format === 'application/json') return readJson(text);
  return format === 'text/plain' ? new Map([['body', [text]]]) : readFormBody(text);
}

/** The whole of a short body; `message_too_large` as soon as it is more. */
export async function readAll(
  req: IncomingMessage,
  { maxText, idleTimeout, pace }: Omit<FormOptions, 'files'>,
): Promise<Buffer> {
  const tooLarge = () =>
    new Refusal('message_too_large', { text: `The message is too long: at most ${maxText} bytes.` });
  if (Number(req.headers['content-length'] ?? 0) > maxText) throw tooLarge();
  const body = new RequestBody(req, { idleTimeout });
  const chunks: Buffer[] = [];
  for await (const batch of body.batches(pace, (size) => (size > maxText ? tooLarge() : undefined))) {
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
