import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { Refusal } from '../../base/errors.ts';
import type { Attachment } from '../../messages/attachments.ts';
import { mediaTypesForName } from '../../policy/guess-media-type.ts';
import { mediaTypeEssence, parseMediaType, UNKNOWN_TYPE } from '../../policy/media-type.ts';
import type { MemoryBudget } from '../../uploads/upload-request.ts';
import { RequestBody } from '../common/request-body.ts';
import {
  createFormSizeCheck,
  type FileSizeCheck,
  type FormLimits,
  type FormSizeCheck,
  tooManyParts,
} from './form-limits.ts';
import { type FormFields, toFormFields } from './message-fields.ts';
import { type SpooledBytes, spool } from './spool.ts';

/** A `multipart/form-data` body, read to its end. */
export interface MessageBody {
  readonly fields: FormFields;
  readonly files: readonly Attachment[];
  /** Frees what the files take; must be called in every case. */
  discard(): Promise<void>;
}

export interface MultipartOptions extends FormLimits {
  /** Milliseconds for which the sender may be silent. */
  readonly idleTimeoutMs: number;
  readonly memoryBudget: MemoryBudget;
}

const MAX_FILES = 16;
const MAX_FIELDS = 200;
const HEADER_BYTES = 8 * 1024;

/** Reads a form; nothing of it is left where that fails (`Refusal`). Fields may follow files. */
export async function readMultipart(
  stream: Readable,
  contentType: string,
  options: MultipartOptions,
): Promise<MessageBody> {
  const boy = openBusboy(contentType, options);
  const body = new RequestBody(stream, options);
  const parts = gatherParts(boy, options, (reason) => body.abort(reason));
  try {
    for await (const batch of body.batches(options.memoryBudget, () => undefined)) {
      // The memory of a chunk is taken back when the next batch is asked for, and a file may lag behind.
      for (const chunk of batch) await parts.orFail(writeTo(boy, Buffer.from(chunk)));
    }
    boy.end();
    await parts.orFail(parts.finished);
    const files = await parts.orFail(parts.files());
    return {
      fields: toFormFields(parts.entries),
      files: files.map((file) => attachmentOf(file, options)),
      discard: parts.discard,
    };
  } catch (error) {
    parts.fail(error as Error);
    await parts.discard();
    throw error;
  }
}

function openBusboy(contentType: string, { maxTextBytes }: FormLimits): BusboyInstance {
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: {
        fieldSize: maxTextBytes,
        files: MAX_FILES,
        fields: MAX_FIELDS,
        parts: MAX_FILES + MAX_FIELDS + 1,
        headerSize: HEADER_BYTES,
      },
      isPartAFile: (_field, _type, name) => name !== undefined,
    });
  } catch (error) {
    throw unreadable(error);
  }
}

/** Resolves when the parser, and the files that it feeds, have room again. */
function writeTo(boy: BusboyInstance, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    boy.write(chunk, () => resolve());
  });
}

/** Takes the parts as they come. The first fault ends all. */
function gatherParts(boy: BusboyInstance, sizes: FormLimits, abort: (reason: Error) => void) {
  const room = createFormSizeCheck(sizes);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const open = new Set<Readable>();
  const spooling: Promise<SpooledFile | undefined>[] = [];
  const entries: [string, string][] = [];
  const fail = (reason: Error) => {
    failed.reject(reason);
    abort(reason);
    for (const file of open) file.destroy(reason);
  };

  boy.on('field', (name, value, _nameCut, isCut) => {
    const fault = room.addText(name, value, isCut);
    if (fault) fail(fault);
    else entries.push([name, value]);
  });
  boy.on('file', (_field, file, name, _encoding, type) => {
    open.add(file);
    // It is told of the end of a form that is cut, also when nobody reads it any more.
    file.on('error', () => undefined);
    const spooled = spoolFile(file, { name, type }, room).catch((error: Error) => {
      fail(error);
      return undefined;
    });
    spooling.push(spooled.finally(() => open.delete(file)));
  });
  boy.on('filesLimit', () => fail(tooManyParts(`${MAX_FILES} files`)));
  boy.on('fieldsLimit', () => fail(tooManyParts(`${MAX_FIELDS} fields`)));
  boy.on('partsLimit', () => fail(tooManyParts(`${MAX_FILES} files and ${MAX_FIELDS} fields`)));
  boy.on('error', (error) => fail(unreadable(error)));

  const files = async () => (await Promise.all(spooling)).filter((file) => file !== undefined);
  return {
    entries,
    fail,
    files,
    finished: new Promise<void>((resolve) => boy.once('finish', resolve)),
    orFail: <T>(work: Promise<T>): Promise<T> => Promise.race([work, failed.promise]),
    async discard(): Promise<void> {
      for (const { spooled } of await files()) await spooled.discard();
    },
  };
}

interface SpooledFile {
  readonly name: string;
  readonly type: string | null;
  readonly spooled: SpooledBytes;
}

/** Undefined for the empty place of a file that nobody chose, as browsers send it. */
async function spoolFile(
  file: Readable,
  { name, type }: { readonly name: string; readonly type: string },
  room: FormSizeCheck,
): Promise<SpooledFile | undefined> {
  let own: FileSizeCheck | undefined;
  const spooled = await spool(readable(file), (size) => {
    own ??= room.addFile();
    own.check(size);
  });
  if (name === '' && spooled.size === 0) return undefined;
  return { name: name === '' ? 'file' : name, type: typeOf(name, type), spooled };
}

/** What goes wrong here is the form, not the disk. */
async function* readable(file: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* file;
  } catch (error) {
    throw unreadable(error);
  }
}

/** Many senders know no type; the name mostly tells. */
function typeOf(name: string, given: string): string | null {
  const known = parseMediaType(given);
  return known === undefined || mediaTypeEssence(known) === UNKNOWN_TYPE
    ? (mediaTypesForName(name)[0] ?? null)
    : known;
}

function attachmentOf({ name, type, spooled }: SpooledFile, { idleTimeoutMs }: MultipartOptions): Attachment {
  const { size, sha256 } = spooled;
  return { name, type, size, sha256, open: () => new RequestBody(spooled.read(), { idleTimeoutMs }) };
}

function unreadable(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal('bad_request', { text: 'The form is cut off or malformed.', cause: error });
}
