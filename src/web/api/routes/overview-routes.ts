import * as z from 'zod';
import { defineRoute, named } from '../route.ts';
import { bytes, count, next, page, role, time, wholeNumber } from '../schemas.ts';

const topic = 'Administration';

export const ruleSchema = named(
  'MatchedRule',
  z.strictObject({
    isAllowed: z.boolean(),
    rule: z.string().nullable().describe('`access[0]`, as in the config; null if no rule matches.'),
    patterns: z.array(z.string()).describe('The patterns of its `jid`, of which one matches the address.'),
    line: z.int().nullable().describe('Its line in the config file.'),
    maxFileSize: bytes.nullable(),
    quotaBytes: bytes.nullable(),
    role,
  }),
);

/** The state, the config and the records of the whole service. */
export const overviewRoutes = {
  getStatus: defineRoute({
    method: 'GET',
    path: '/admin/status',
    access: 'admin',
    topic,
    summary: 'Returns the totals, the disks, the component streams and the queues.',
    status: 200,
    answer: named(
      'Status',
      z.strictObject({
        version: z.string(),
        owners: count,
        files: count,
        bytes,
        pendingFiles: count,
        quotaBytes: bytes.nullable().describe('`global_quota`; null = no limit.'),
        disks: z
          .array(
            z.strictObject({
              store: z
                .enum(['blobs', 'ledger'])
                .describe('`ledger`: the database, if it is on another disk.'),
              free: bytes,
              total: bytes,
              freeFiles: count.describe('Files (inodes) that can still be created.'),
              totalFiles: count.describe('0 = the file system does not limit the number of files.'),
              isLow: z.boolean().describe('True if uploads are refused because of `storage.reserve`.'),
            }),
          )
          .describe('The file systems whose free space is known.'),
        streams: z.array(z.strictObject({ jid: z.string(), up: z.boolean(), reason: z.string().nullable() })),
        queues: z.strictObject({ messages: count, callbacks: count }),
        failedDeletes: count.describe('Files that are removed and whose bytes could not be deleted yet.'),
      }),
    ),
  }),
  getHistory: defineRoute({
    method: 'GET',
    path: '/admin/history',
    access: 'admin',
    topic,
    summary:
      'Returns the stored files and bytes of each hour and the requests of each day, the growth, and the time when the disk will be full.',
    query: z.strictObject({ days: wholeNumber(400).prefault('30').describe('1 to 400.') }),
    status: 200,
    answer: named(
      'History',
      z.strictObject({
        samples: z.array(z.strictObject({ at: time, files: count, bytes })),
        days: z
          .array(z.strictObject({ day: time, uploads: count, downloads: count, refusals: count }))
          .describe('The days in UTC since the first counted one, also those without requests.'),
        growthPerDay: z.int().nullable().describe('Bytes per day over the last week; null if unknown.'),
        fullAt: time
          .nullable()
          .describe(
            'When the disk or `global_quota` is full at this growth; null if that is not foreseeable.',
          ),
      }),
    ),
  }),
  explainTarget: defineRoute({
    method: 'GET',
    path: '/admin/why',
    access: 'moderator',
    topic,
    summary: 'Explains a link, an id or an address in the words of `porter why`.',
    query: z.strictObject({ target: z.string().min(1).max(8192) }),
    status: 200,
    answer: named('WhyAnswer', z.strictObject({ found: z.boolean(), lines: z.array(z.string()) })),
  }),
  runDoctor: defineRoute({
    method: 'POST',
    path: '/admin/doctor',
    access: 'admin',
    topic,
    summary: 'Runs `porter doctor` and returns its findings. May take some minutes; only one run at a time.',
    status: 200,
    answer: named(
      'DoctorReport',
      z.strictObject({
        ok: z.boolean(),
        findings: z.array(
          z.strictObject({
            check: z.string(),
            state: z.string().describe('`ok`, `warn`, `fail` or `skip`.'),
            text: z.string().describe('The finding, with the lines that fix it.'),
          }),
        ),
      }),
    ),
    errors: ['busy'],
  }),
  getConfig: defineRoute({
    method: 'GET',
    path: '/admin/config',
    access: 'admin',
    topic,
    summary: 'Returns the options in effect, without secrets.',
    status: 200,
    answer: named(
      'ConfigView',
      z.strictObject({
        file: z.string().nullable().describe('The name of the file, without its folder.'),
        warnings: z.array(z.string()),
        options: z.record(z.string(), z.unknown()),
      }),
    ),
  }),
  matchRule: defineRoute({
    method: 'GET',
    path: '/admin/rule',
    access: 'admin',
    topic,
    summary: 'Returns the rule of `access` that decides for an address.',
    query: z.strictObject({ jid: z.string().min(1).max(3072) }),
    status: 200,
    answer: ruleSchema,
  }),
  listAudit: defineRoute({
    method: 'GET',
    path: '/admin/audit',
    access: 'admin',
    topic,
    summary:
      'Lists the removals, restorations and changes that admins, moderators and users have made here, the latest first.',
    query: z.strictObject(page),
    status: 200,
    answer: named(
      'Audit',
      z.strictObject({
        entries: z.array(
          z.strictObject({
            at: time,
            actor: z.string(),
            address: z.string().describe('The network address of the client.'),
            action: z.string(),
            subject: z.string(),
            files: count,
            bytes,
          }),
        ),
        next,
      }),
    ),
  }),
};
