import * as z from 'zod';
import { defineRoute, named } from '../route.ts';
import {
  adminFileSchema,
  bytes,
  count,
  ids,
  limitSchema,
  next,
  page,
  quotaSchema,
  refusalSchema,
  removalResult,
  restoreResult,
  time,
  trashedFile,
  wholeNumber,
} from '../schemas.ts';
import { ruleSchema } from './overview-routes.ts';

const topic = 'Administration';

const userSchema = named(
  'User',
  z.strictObject({
    owner: z.string(),
    files: count,
    bytes,
    pendingBytes: bytes,
    quotaBytes: bytes.nullable().describe('`max_total_size` of the rule; null = no limit.'),
    lastUploadAt: time.nullable(),
  }),
);

/** Files and users of the whole service. */
export const adminRoutes = {
  listAllFiles: defineRoute({
    method: 'GET',
    path: '/admin/files',
    access: 'moderator',
    topic,
    summary:
      'Lists files of all users. A filter may need several pages with few or no entries: continue while `next` is not null.',
    query: z.strictObject({
      ...page,
      sort: z
        .enum(['newest', 'oldest', 'largest'])
        .default('newest')
        .describe('`largest`: only files from 1 MiB, unless an owner with at most 20,000 files is given.'),
      owner: z.string().max(3072).optional(),
      search: z.string().max(200).optional().describe('Text in the name, case-insensitive.'),
      type: z.string().max(100).optional().describe('The beginning of the media type, such as `image/`.'),
      state: z
        .enum(['issued', 'receiving', 'stored', 'unscanned'])
        .default('stored')
        .describe('`unscanned`: stored, and not scanned for malware although scanning was on.'),
      minSize: wholeNumber(Number.MAX_SAFE_INTEGER).optional().describe('Bytes.'),
      maxSize: wholeNumber(Number.MAX_SAFE_INTEGER).optional().describe('Bytes.'),
      after: time.optional().describe('Created at or after this time.'),
      before: time.optional().describe('Created before this time.'),
    }),
    status: 200,
    answer: named('AdminFileList', z.strictObject({ files: z.array(adminFileSchema), next })),
  }),
  findFile: defineRoute({
    method: 'GET',
    path: '/admin/find',
    access: 'moderator',
    topic,
    summary: 'Finds the file of a link or an id.',
    query: z.strictObject({ link: z.string().min(1).max(8192) }),
    status: 200,
    answer: adminFileSchema,
  }),
  getAnyThumbnail: defineRoute({
    method: 'GET',
    path: '/admin/files/{id}/thumbnail',
    access: 'moderator',
    topic,
    summary: 'Returns a small version of a picture of any user, at most 320 pixels wide and high.',
    status: 200,
    answer: 'image/webp',
    errors: ['not_found', 'busy', 'unavailable'],
  }),
  deleteAnyFiles: defineRoute({
    method: 'POST',
    path: '/admin/files/delete',
    access: 'moderator',
    topic,
    summary: 'Deletes files of any users.',
    body: named('AdminFileSelection', z.strictObject({ ids, reason: z.string().trim().max(200).optional() })),
    status: 200,
    answer: removalResult,
  }),
  listAllTrash: defineRoute({
    method: 'GET',
    path: '/admin/trash',
    access: 'moderator',
    topic,
    summary: 'Lists deleted files of all users that can be restored, the last deleted first.',
    query: z.strictObject(page),
    status: 200,
    answer: named('AdminTrash', z.strictObject({ files: z.array(trashedFile), next })),
  }),
  restoreAnyFiles: defineRoute({
    method: 'POST',
    path: '/admin/trash/restore',
    access: 'moderator',
    topic,
    summary: 'Restores deleted files of any users, without a limit.',
    body: named('AdminTrashSelection', z.strictObject({ ids })),
    status: 200,
    answer: restoreResult,
    errors: ['file_blocked'],
  }),
  listUsers: defineRoute({
    method: 'GET',
    path: '/admin/users',
    access: 'moderator',
    topic,
    summary: 'Lists the users with slots or files.',
    query: z.strictObject({
      ...page,
      sort: z.enum(['name', 'largest']).default('name'),
      search: z.string().max(200).optional().describe('The beginning of the address.'),
    }),
    status: 200,
    answer: named('UserList', z.strictObject({ users: z.array(userSchema), next })),
  }),
  getUser: defineRoute({
    method: 'GET',
    path: '/admin/user',
    access: 'moderator',
    topic,
    summary: 'Returns the usage, the limits, the rule and the refusals of the last day of a user.',
    query: z.strictObject({ owner: z.string().min(1).max(3072) }),
    status: 200,
    answer: named(
      'UserDetails',
      z.strictObject({
        owner: z.string(),
        quota: quotaSchema,
        limits: z.array(limitSchema),
        rule: ruleSchema,
        refusals: z.array(refusalSchema),
      }),
    ),
  }),
  deleteFilesOfUser: defineRoute({
    method: 'POST',
    path: '/admin/user/delete-files',
    access: 'moderator',
    topic,
    summary: 'Deletes all files of a user. `confirm` must be the address again.',
    body: named(
      'UserFilesDeletion',
      z.strictObject({ owner: z.string().min(1).max(3072), confirm: z.string().max(3072) }),
    ),
    status: 200,
    answer: removalResult,
  }),
  forgetUser: defineRoute({
    method: 'POST',
    path: '/admin/user/forget',
    access: 'admin',
    topic,
    summary:
      'Deletes all files of a user and erases the address from every record, as `porter forget` does. `confirm` must be the address again.',
    body: named(
      'UserForgetting',
      z.strictObject({ owner: z.string().min(1).max(3072), confirm: z.string().max(3072) }),
    ),
    status: 200,
    answer: named('ForgetAnswer', z.strictObject({ removed: count })),
  }),
};
