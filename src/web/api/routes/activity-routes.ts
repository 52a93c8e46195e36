import * as z from 'zod';
import { defineRoute, named } from '../route.ts';
import { bytes, count, page, refusalSchema, time } from '../schemas.ts';

const topic = 'Administration';

/** Routes of recent refusals, recent sweeps, and hooks. */
export const activityRoutes = {
  listRefusals: defineRoute({
    method: 'GET',
    path: '/admin/refusals',
    access: 'moderator',
    topic,
    summary: 'Lists the refused uploads of all users within the last day, the latest first.',
    query: z.strictObject({ limit: page.limit }),
    status: 200,
    answer: named(
      'RefusalList',
      z.strictObject({ refusals: z.array(refusalSchema.extend({ owner: z.string() })) }),
    ),
  }),
  listSweeps: defineRoute({
    method: 'GET',
    path: '/admin/sweeps',
    access: 'admin',
    topic,
    summary: 'Lists the last sweeps with the numbers of removed files, the latest first.',
    status: 200,
    answer: named(
      'SweepList',
      z.strictObject({
        sweeps: z.array(
          z.strictObject({
            startedAt: time,
            durationMs: count,
            unused: count.describe('Slots that expired unused.'),
            expired: count.describe('Expired files.'),
            softQuota: count.describe('Files above `retention.soft_quota`.'),
            bytes: bytes.describe('Size of the removed files.'),
            deadClaims: count.describe('Claims of ended processes that were released.'),
            records: count.describe('Removal records older than `retention.keep_records`.'),
          }),
        ),
      }),
    ),
  }),
  listHooks: defineRoute({
    method: 'GET',
    path: '/admin/hooks',
    access: 'admin',
    topic,
    summary: 'Lists the hooks of the config with the last call of each, without their tokens.',
    status: 200,
    answer: named(
      'HookList',
      z.strictObject({
        hooks: z.array(
          z.strictObject({
            name: z.string(),
            format: z.string(),
            from: z.string(),
            to: z.array(z.string()),
            lastCall: z
              .strictObject({
                at: time,
                status: z.int().describe('The HTTP status of the answer.'),
                address: z.string().describe('The network address of the client.'),
                program: z.string().describe('Its User-Agent.'),
                refusal: z.string().nullable().describe('The text of the refusal.'),
              })
              .nullable(),
          }),
        ),
      }),
    ),
  }),
  testHook: defineRoute({
    method: 'POST',
    path: '/admin/hooks/{name}/test',
    access: 'admin',
    topic,
    summary:
      "Sends a test payload of the hook's format to its recipients, and returns the result for each of them.",
    status: 200,
    answer: named(
      'HookTest',
      z.strictObject({
        results: z.array(
          z.strictObject({
            to: z.string(),
            state: z.enum(['sent', 'queued', 'failed']),
            text: z.string().nullable().describe('The reason for `failed`.'),
          }),
        ),
      }),
    ),
    errors: ['not_found', 'unavailable'],
  }),
};
