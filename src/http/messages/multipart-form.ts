import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { Refusal } from '../../base/errors.ts';
import type { Attachment } from '../../messages/attachments.ts';
import { type PictureSize, readPictureSize, tapPictureHead } from '../../messages/picture-size.ts';
import { type MoreTypes, typeOfFile } from '../../policy/media-type.ts';
import type { MemoryBudget } from '../../uploads/upload-request.ts';
import { type FormFields, toFormFields } from '../common/form-fields.ts';
import { RequestBody } from '../common/request-body.ts';
import {
  createFormSizeCheck,
  type FileSizeCheck,
  type FormLimits,
  type FormSizeCheck,
  tooManyParts,
} from './form-limits.ts';
import { type CreateSpoolFile, type SpooledBytes, spool } from './spool.ts';

/** The body of a message request: text fields and files. */
export interface MessageBody {
  readonly fields: FormFields;
  readonly files: readonly Attachment[];
  /** Frees the memory and disk space of the files. Must always be called. */
  discard(): Promise<void>;
}

export interface MultipartOptions extends FormLimits {
  /** Milliseconds without a byte after which the body fails. */
  readonly idleTimeoutMs: number;
  /** Milliseconds after which the body fails. */
  readonly totalTimeoutMs?: number;
  /** Creates the files that keep larger parts until the form is complete. By default they are temporary files. */
  readonly createSpoolFile?: CreateSpoolFile | undefined;
  /** Called for each chunk of a file. Throws `Refusal` if the disk is nearly full. */
  readonly checkSpace?: () => void;
  readonly memoryBudget: MemoryBudget;
  /** `uploads.types`. */
  readonly types?: MoreTypes | undefined;
}

const MAX_FILES = 16;
const MAX_FIELDS = 200;
const HEADER_BYTES = 8 * 1024;

/** Reads a `multipart/form-data` body to its end. Fields may follow files. Throws `Refusal` and leaves no file behind. */
export async function readMultipart(
  stream: Readable,
  contentType: string,
  options: MultipartOptions,
): Promise<MessageBody> {
  const parser = createParser(contentType, options);
  const body = new RequestBody(stream, options);
  const parts = collectParts(parser, options, (reason) => body.abort(reason));
  try {
    for await (const batch of body.batches(options.memoryBudget, () => undefined)) {
      // Copied, because the memory of a chunk is freed when the next batch is requested, and a file may be written later.
      for (const chunk of batch) await parts.orFail(writeTo(parser, Buffer.from(chunk)));
    }
    parser.end();
    await parts.orFail(parts.finished);
    const files = await parts.orFail(parts.files());
    return {
      fields: toFormFields(parts.entries),
      files: files.map((file) => toAttachment(file, options)),
      discard: parts.discard,
    };
  } catch (error) {
    parts.fail(error as Error);
    await parts.discard();
    throw error;
  }
}

function createParser(contentType: string, { maxTextBytes }: FormLimits): BusboyInstance {
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
    throw malformedForm(error);
  }
}

/** Resolves when the parser and its files accept more data. */
function writeTo(parser: BusboyInstance, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    parser.write(chunk, () => resolve());
  });
}

/** Collects the parts of a form. The first error ends the whole form. */
function collectParts(parser: BusboyInstance, options: MultipartOptions, abort: (reason: Error) => void) {
  const sizeCheck = createFormSizeCheck(options);
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

  // Errors of these handlers reach no caller: they would end the process. The parser passes undefined for a missing name.
  parser.on('field', (name: string | undefined, value: string | undefined, _nameCut, isCut) => {
    if (name === undefined || value === undefined) {
      fail(new Refusal('bad_request', { text: 'A part of the form has no name.' }));
      return;
    }
    const refusal = sizeCheck.addText(name, value, isCut);
    if (refusal) fail(refusal);
    else entries.push([name, value]);
  });
  parser.on('file', (_field, file, name, _encoding, type) => {
    open.add(file);
    // A form that is cut off ends its files with an error, also those that are no longer read.
    file.on('error', () => undefined);
    const spooled = spoolFile(
      file,
      { name, type: type ?? '', types: options.types },
      sizeCheck,
      options,
    ).catch((error: Error) => {
      fail(error);
      return undefined;
    });
    spooling.push(spooled.finally(() => open.delete(file)));
  });
  parser.on('filesLimit', () => fail(tooManyParts(`${MAX_FILES} files`)));
  parser.on('fieldsLimit', () => fail(tooManyParts(`${MAX_FIELDS} fields`)));
  parser.on('partsLimit', () => fail(tooManyParts(`${MAX_FILES} files and ${MAX_FIELDS} fields`)));
  parser.on('error', (error) => fail(malformedForm(error)));

  const files = async () => (await Promise.all(spooling)).filter((file) => file !== undefined);
  return {
    entries,
    fail,
    files,
    finished: new Promise<void>((resolve) => parser.once('finish', resolve)),
    orFail: <T>(work: Promise<T>): Promise<T> => Promise.race([work, failed.promise]),
    async discard(): Promise<void> {
      for (const { spooled } of await files()) await spooled.discard();
    },
  };
}

interface SpooledFile {
  readonly name: string;
  readonly type: string | null;
  readonly picture: PictureSize | undefined;
  readonly spooled: SpooledBytes;
}

interface PartHeaders extends Pick<MultipartOptions, 'types'> {
  readonly name: string;
  readonly type: string;
}

/** Returns undefined for an empty part without a name: browsers send one if the user selected no file. */
async function spoolFile(
  file: Readable,
  { name, type, types }: PartHeaders,
  sizeCheck: FormSizeCheck,
  { createSpoolFile, checkSpace }: Pick<MultipartOptions, 'createSpoolFile' | 'checkSpace'>,
): Promise<SpooledFile | undefined> {
  let check: FileSizeCheck | undefined;
  const checkSize = (size: number) => {
    check ??= sizeCheck.addFile();
    check.check(size);
    checkSpace?.();
  };
  let picture: PictureSize | undefined;
  const chunks = tapPictureHead(readPart(file), (head) => {
    picture = readPictureSize(head);
  });
  const spooled = await spool(chunks, checkSize, createSpoolFile);
  if (name === '' && spooled.size === 0) return undefined;
  return { name: name === '' ? 'file' : name, type: typeOfFile(name, type, types), picture, spooled };
}

/** Reports errors of the form as `Refusal`, so that they differ from errors of the disk. */
async function* readPart(file: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* file;
  } catch (error) {
    throw malformedForm(error);
  }
}

function toAttachment(
  { name, type, picture, spooled }: SpooledFile,
  { idleTimeoutMs }: MultipartOptions,
): Attachment {
  const { size, sha256, path } = spooled;
  return {
    name,
    type,
    size,
    sha256,
    picture,
    path,
    open: () => new RequestBody(spooled.read(), { idleTimeoutMs }),
  };
}

function malformedForm(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal('bad_request', { text: 'The form is incomplete or malformed.', cause: error });
}
