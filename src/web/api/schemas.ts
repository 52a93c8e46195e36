import * as z from 'zod';
import { named, SCOPES } from './route.ts';

/** Schemas that several routes share. Times are ISO 8601 in UTC, sizes are bytes. */

export const time = z.iso.datetime();
export const bytes = z.int().nonnegative();
export const count = z.int().nonnegative();

/** A whole number in a query. */
export const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().max(max));

const MAX_PAGE = 500;
const DEFAULT_PAGE = '50';

/** The query of every list. `cursor`: `next` of the previous page; absent for the first. */
export const page = {
  limit: wholeNumber(MAX_PAGE)
    .pipe(z.number().min(1))
    .prefault(DEFAULT_PAGE)
    .describe(`Entries of the page, 1 to ${MAX_PAGE}. A page may have fewer entries although more follow.`),
  cursor: z.string().max(2000).optional().describe('`next` of the previous page.'),
};

export const next = z.string().nullable().describe('The cursor of the next page; null at the end.');

export const role = z.enum(['user', 'moderator', 'admin']);
export const scope = z.enum(SCOPES);

/** Files that one request may name. */
export const MAX_IDS = 1000;
export const ids = z.array(z.string().max(64)).min(1).max(MAX_IDS);

export const fileSchema = named(
  'File',
  z.strictObject({
    id: z.string(),
    name: z.string(),
    /** Media type. */
    type: z.string(),
    size: bytes,
    state: z.enum(['issued', 'receiving', 'stored']).describe('`stored`: the file is complete.'),
    isEncrypted: z
      .boolean()
      .describe('True if the name and type are those of a file that its sender has encrypted (OMEMO).'),
    purpose: z.string().describe('The purpose (XEP-0363 1.2.0); empty if none was requested.'),
    uploadedAt: time.nullable(),
    createdAt: time,
    expiresAt: time.nullable().describe('When the file is removed; null = it is kept without limit.'),
    canExtend: z.boolean().describe('True if the rule allows a later `expiresAt`.'),
    url: z
      .string()
      .nullable()
      .describe(
        'The download link; null if the XMPP server or another service has made it, so that Porter does not know it.',
      ),
    thumbnailUrl: z
      .string()
      .nullable()
      .describe(
        'The URL of a small version of the picture (WebP, at most 320 pixels wide and high); null if the file has none. It answers 404 if the picture is damaged. If `url` is null, it is relative to the address of the page, and only clients that may list the file can fetch it.',
      ),
  }),
);

export const adminFileSchema = named(
  'AdminFile',
  fileSchema.extend({
    owner: z.string(),
    endpoint: z.string(),
    sha256: z.string().nullable().describe('Hex; null if it was not computed.'),
    scan: z
      .enum(['clean', 'unavailable', 'too_large'])
      .nullable()
      .describe(
        'The result of the scan for malware: `clean`, or why the file was not scanned; null if it was stored while scanning was off.',
      ),
  }),
);

export const removalResult = named(
  'RemovalResult',
  z.strictObject({
    removed: count,
    bytes,
    restorableUntil: time
      .nullable()
      .describe('Until when the files can be restored; null if there is no trash.'),
  }),
);

export const trashedFile = named(
  'TrashedFile',
  z.strictObject({
    id: z.string(),
    owner: z.string(),
    name: z.string(),
    type: z.string(),
    size: bytes,
    removedAt: time,
    removedBy: z.string(),
    restorableUntil: time,
  }),
);

export const restoreResult = named('RestoreResult', z.strictObject({ restored: count, bytes }));

export const limitSchema = named(
  'Limit',
  z.strictObject({
    limit: z.enum(['ownerBytes', 'ownerFiles', 'purposeBytes', 'bytesPer', 'uploadsPer', 'globalBytes']),
    used: count,
    allowed: count,
    freesAt: time.nullable().describe('When there is more room; null if waiting does not help.'),
    periodMs: count.nullable(),
    purpose: z.string().nullable(),
  }),
);

export const refusalSchema = named(
  'RecordedRefusal',
  z.strictObject({
    code: z.string(),
    text: z.string(),
    endpoint: z.string(),
    times: count,
    lastAt: time,
    fileName: z.string(),
    size: bytes.nullable(),
  }),
);

export const quotaSchema = named(
  'Quota',
  z.strictObject({
    isAllowed: z.boolean().describe('False if the rules of this service do not allow the user to upload.'),
    files: count,
    bytes,
    pendingBytes: bytes.describe('Bytes of slots that wait for their upload.'),
    maxFileSize: bytes.nullable(),
    refusal: z
      .string()
      .nullable()
      .describe('The text with which an upload is refused now; null if uploads are possible.'),
    limits: z.array(limitSchema),
    maxAgeMs: count.nullable().describe('How long files are kept; null = without limit.'),
  }),
);

export const slotSchema = named(
  'Slot',
  z.strictObject({
    id: z.string(),
    name: z.string().describe('The name after cleaning.'),
    putUrl: z.string().describe('Send the bytes here by one PUT, or by a resumable upload.'),
    getUrl: z.string().describe('The download link. It works as soon as the PUT is answered with 201.'),
    contentType: z.string().describe('Send this as the Content-Type of the PUT.'),
    deadline: time,
  }),
);

export const slotRequest = named(
  'SlotRequest',
  z.strictObject({
    name: z.string().min(1).max(4096),
    size: z.int().positive(),
    type: z.string().max(255).optional(),
    purpose: z.string().max(64).optional(),
    expiresAt: time.optional(),
  }),
);

/** RFC 9457. */
export const problemSchema = named(
  'Problem',
  z.looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('A sentence for the user.'),
    code: z.string().describe('A code of docs/errors.md.'),
    retryAt: z.string().optional(),
    maxFileSize: bytes.optional(),
  }),
);
