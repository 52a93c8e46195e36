import * as z from 'zod';
import { defineRoute, named } from '../route.ts';
import { bytes, count, ids, next, page, time } from '../schemas.ts';

const topic = 'Infected and blocked files';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a hex SHA-256');

const quarantinedFile = named(
  'QuarantinedFile',
  z.strictObject({
    id: z.string(),
    owner: z.string(),
    name: z.string(),
    type: z.string(),
    size: bytes,
    sha256: z.string().nullable(),
    signature: z.string().describe('The name of the malware that the virus scanner has found.'),
    endpoint: z.string(),
    foundAt: time,
    purgeAt: time.describe('When the record and the content are deleted.'),
    hasContent: z.boolean().describe('False if only the record was kept.'),
    isBlocked: z.boolean().describe('True if the content is blocked.'),
  }),
);

const blockedFile = named(
  'BlockedFile',
  z.strictObject({
    sha256: z.string(),
    size: bytes.nullable(),
    reason: z.string(),
    blockedBy: z.string(),
    blockedAt: time,
  }),
);

/** Infected files, and files that are blocked by their content. */
export const contentRoutes = {
  listQuarantine: defineRoute({
    method: 'GET',
    path: '/admin/quarantine',
    access: 'moderator',
    topic,
    summary: 'Lists infected files, the last found first.',
    query: z.strictObject(page),
    status: 200,
    answer: named('Quarantine', z.strictObject({ files: z.array(quarantinedFile), next })),
  }),
  downloadQuarantined: defineRoute({
    method: 'GET',
    path: '/admin/quarantine/{id}/content',
    access: 'admin',
    topic,
    summary:
      'Sends the content of an infected file as an attachment, with a name that no program opens by itself.',
    status: 200,
    answer: 'application/octet-stream',
    errors: ['not_found'],
  }),
  deleteQuarantined: defineRoute({
    method: 'POST',
    path: '/admin/quarantine/delete',
    access: 'moderator',
    topic,
    summary: 'Deletes infected files.',
    body: named('QuarantineSelection', z.strictObject({ ids })),
    status: 200,
    answer: named('QuarantineDeletion', z.strictObject({ deleted: count })),
  }),
  releaseQuarantined: defineRoute({
    method: 'POST',
    path: '/admin/quarantine/{id}/release',
    access: 'admin',
    topic,
    summary:
      'Releases a file that the virus scanner has reported wrongly: stores it under the link of its owner.',
    status: 200,
    answer: named('QuarantineRelease', z.strictObject({ id: z.string(), url: z.string().nullable() })),
    errors: ['not_found', 'file_blocked'],
  }),
  listBlocked: defineRoute({
    method: 'GET',
    path: '/admin/blocked',
    access: 'moderator',
    topic,
    summary: 'Lists blocked files, the last blocked first.',
    query: z.strictObject(page),
    status: 200,
    answer: named('BlockedFiles', z.strictObject({ files: z.array(blockedFile), next })),
  }),
  blockFile: defineRoute({
    method: 'POST',
    path: '/admin/blocked',
    access: 'admin',
    topic,
    summary:
      'Blocks a file by its content: its bytes are refused at every endpoint. `target`: a link, an id, the id of an infected file, or a hex SHA-256.',
    body: named(
      'FileToBlock',
      z.strictObject({
        target: z.string().min(1).max(8192),
        reason: z.string().trim().max(200).default(''),
        removeCopies: z
          .boolean()
          .default(false)
          .describe('Removes all stored copies. May take several minutes.'),
      }),
    ),
    status: 201,
    answer: named('BlockAnswer', blockedFile.extend({ removed: count, bytes })),
    errors: ['not_found'],
  }),
  unblockFile: defineRoute({
    method: 'POST',
    path: '/admin/blocked/remove',
    access: 'admin',
    topic,
    summary: 'Unblocks a file.',
    body: named('FileToUnblock', z.strictObject({ sha256 })),
    status: 204,
    answer: null,
    errors: ['not_found'],
  }),
};
