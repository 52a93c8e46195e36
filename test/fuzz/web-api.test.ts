import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { errorTable } from '../../src/base/errors.ts';
import { allRoutes, type OperationId } from '../../src/web/api/definitions.ts';
import type { RouteDefinition } from '../../src/web/api/route.ts';
import {
  ADMIN,
  ADMIN_TOKEN,
  anonymous,
  bearer,
  JULIET,
  ROMEO,
  startTestWebServer,
  type TestClient,
  type TestWebServer,
} from '../support/test-web-server.ts';
import { RUNS } from './fuzz.ts';

/** Routes that would end the sessions that later calls use. They are called without a session. */
const ENDING: readonly OperationId[] = ['signOut', 'signOutEverywhere'];
const RUNS_PER_ROUTE = Math.max(10, Math.round(RUNS / 15));

const HOSTILE = [
  '',
  ' ',
  '0',
  '-1',
  '1e308',
  'NaN',
  'null',
  '\u0000',
  'a\u0000b',
  '\ud83d',
  '\uffff',
  '%',
  '%00',
  '_%!',
  "' or 1=1 --",
  '"); drop table uploads; --',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  '<script>alert(1)</script>',
  '$1',
  '{{x}}',
  'ä'.repeat(300),
  'x'.repeat(5000),
  'romeo@',
  '@example.org',
  'a@b@c/d',
  'ﬁ@EXAMPLE.org',
  '9007199254740993',
  '99999999999999999999',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '2026-02-30T00:00:00Z',
  '+275760-09-13T00:00:00.000Z',
  'https://upload.example.org/x/y',
  'http://[::1',
  'W10',
  'W251bGxd',
  'WzFlMzA4XQ',
  'WyIiLCIiXQ',
  'eyJsZW5ndGgiOjF9',
];

/** Values that pass the checks of most routes. */
const VALID: Readonly<Record<string, readonly unknown[]>> = {
  limit: ['1', '2', '500'],
  days: ['1', '400'],
  sort: ['newest', 'oldest', 'largest', 'smallest', 'name'],
  state: ['stored', 'issued', 'receiving'],
  owner: [JULIET, 'external'],
  jid: [ROMEO, JULIET],
  target: [JULIET, 'external'],
  confirm: [JULIET],
  search: ['a', 'TXT'],
  type: ['text/', 'image/'],
  after: ['2026-01-01T00:00:00Z'],
  before: ['2026-01-02T00:00:00Z'],
  expiresAt: [null, '2026-01-05T00:00:00Z'],
  name: ['a.txt', 'builds'],
  size: [1, 100],
  scopes: [['files:read'], ['admin', 'share']],
  note: ['Photos'],
  maxBytes: [1000, null],
  maxFiles: [2, null],
  password: ['wherefore'],
};

const json = fc.oneof(
  fc.constantFrom<unknown>(...HOSTILE),
  fc.constantFrom<unknown>(null, true, 0, -1, 0.5, 2 ** 53, -(2 ** 53), 1e308, [], {}, [[]], [null]),
  fc.array(fc.constantFrom(...HOSTILE), { maxLength: 4 }),
  fc.jsonValue({ maxDepth: 3 }),
);

describe('the API of the web page', () => {
  let server: TestWebServer;
  let clients: readonly TestClient[];
  let known: readonly string[];
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    server = await startTestWebServer({ after: (work: () => unknown) => cleanups.push(work) } as never);
    clients = [anonymous, await server.signIn(ROMEO), await server.signIn(ADMIN), bearer(ADMIN_TOKEN)];
    const slots = await Promise.all(['a.jpg', 'b.jpg', 'c.jpg'].map((name) => server.upload({ name })));
    const [, romeo] = clients;
    const lists = await Promise.all(
      ['newest', 'largest', 'name'].map((sort) =>
        server.ok<{ next: string | null }>('listFiles', {
          as: romeo ?? anonymous,
          query: { sort, limit: '1' },
        }),
      ),
    );
    known = [...slots.map(({ id }) => id), ...lists.map(({ next }) => next ?? '')];
  });
  after(async () => {
    for (const work of cleanups) await work();
  });

  const fieldValue = (key: string, hostile: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof(
      {
        weight: 2,
        arbitrary: fc.nat().map((n) => (key === 'ids' ? [known[n % known.length]] : known[n % known.length])),
      },
      { weight: 3, arbitrary: fc.constantFrom(...(VALID[key] ?? HOSTILE)) },
      { weight: 3, arbitrary: hostile },
    );

  const objectOf = (schema: z.ZodType | undefined, hostile: fc.Arbitrary<unknown>) => {
    const keys = schema instanceof z.ZodObject ? Object.keys(schema.shape) : ['jid', 'password', 'code'];
    const fields = Object.fromEntries(keys.map((key) => [key, fieldValue(key, hostile)]));
    return fc.record({ ...fields, unexpected: hostile }, { requiredKeys: [] }).chain((value) =>
      // Most requests have no unexpected key, because it is refused first.
      fc.nat(4).map((n) => {
        const { unexpected, ...rest } = value as Record<string, unknown>;
        return n === 0 && unexpected !== undefined ? value : rest;
      }),
    );
  };

  const texts = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 40 }));
  const headerText = fc.constantFrom(
    '',
    'x',
    '*/*',
    'application/json',
    'Bearer x',
    'a=b; ; porter_session=',
    '0',
    '"',
  );
  const headerName = fc.constantFrom(
    'Accept',
    'Authorization',
    'Cookie',
    'X-CSRF-Token',
    'Content-Type',
    'Range',
    'If-None-Match',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'Origin',
  );

  function requestsOf({ query, body, path }: RouteDefinition, isEnding: boolean) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    return fc.record({
      as: fc.nat(isEnding ? 0 : 3),
      params: fc.record(Object.fromEntries(names.map((name) => [name, fieldValue(name, texts)]))),
      query: objectOf(query ?? z.object({}), texts),
      body: objectOf(body, json),
      rawBody: fc.option(
        fc.oneof(texts, fc.constantFrom('{', '[', '"', '{"a":1', '[]', 'null', '\ufeff{}')),
        { freq: 6, nil: undefined },
      ),
      headers: fc.option(fc.dictionary(headerName, headerText, { maxKeys: 2 }), { freq: 4, nil: undefined }),
    });
  }

  const asTexts = (values: object) =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value).toWellFormed()]));

  for (const [id, definition] of allRoutes) {
    test(`answers every request to ${id} in its form, and never with an internal error`, async () => {
      await fc.assert(
        fc.asyncProperty(requestsOf(definition, ENDING.includes(id)), async (request) => {
          const { as, params, query, body, rawBody, headers } = request;
          // `call` also checks the form of the answer.
          const { status, text } = await server.call(id, {
            as: clients[as] ?? anonymous,
            params: Object.fromEntries(
              Object.entries(asTexts(params)).map(([key, value]) => [key, value || 'x']),
            ),
            query: asTexts(query),
            ...(definition.body && { body }),
            ...(definition.body && rawBody !== undefined && { rawBody }),
            ...(headers && { headers }),
          });
          assert.ok(status >= 200 && status < 500, `${status} ${text}`);
          if (status >= 400) assert.ok((JSON.parse(text) as { code: string }).code in errorTable, text);
        }),
        { numRuns: RUNS_PER_ROUTE },
      );
    });
  }
});
