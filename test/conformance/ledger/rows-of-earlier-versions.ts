import type { SqlValue } from '../../../src/ledger/sql/database.ts';
import { HOUR, JULIET, NOW, ROMEO } from './fixture.ts';

/** A row of an earlier schema. */
export interface EarlierRow {
  /** The migration that created its table. */
  readonly since: number;
  readonly table: string;
  readonly values: Readonly<Record<string, SqlValue>>;
}

export const STORED = '01aaaaaaaaaaaaaaaaaaaaaaaa';
export const ISSUED = '01bbbbbbbbbbbbbbbbbbbbbbbb';
export const REMOVED = '01cccccccccccccccccccccccc';
export const FOREIGN = '01dddddddddddddddddddddddd';
/** The locator of FOREIGN, whose link another service gave out. */
export const FOREIGN_LOCATOR = 'old service/a b.jpg';

const ROMEO_ID = 17;
const JULIET_ID = 18;

const upload = {
  locator: null,
  owner_id: ROMEO_ID,
  door: 'component',
  purpose: '',
  name: 'balcony.jpg',
  type: 'image/jpeg',
  size: 100,
  created_at: NOW,
  deadline: NOW + HOUR,
  expires_at: null,
  claim: null,
  instance: null,
  claimed_at: null,
  claimed_with: 0,
  rated: String(HOUR / 64),
};
const storedUpload = { ...upload, put_key: null, state: 'stored', stored_at: NOW, touched: 1 };

/** At least one row of each table that a migration has created, with the names that the table and its columns had at first. */
export const earlierRows: readonly EarlierRow[] = [
  {
    since: 1,
    table: 'owners',
    values: {
      id: ROMEO_ID,
      name: ROMEO,
      sha1: 'a'.repeat(40),
      uploads: 1,
      bytes: 100,
      pending_uploads: 1,
      pending_bytes: 100,
      last_upload_at: NOW,
    },
  },
  {
    since: 1,
    table: 'owners',
    values: {
      id: JULIET_ID,
      name: JULIET,
      sha1: 'b'.repeat(40),
      uploads: 1,
      bytes: 100,
      pending_uploads: 0,
      pending_bytes: 0,
      last_upload_at: null,
    },
  },
  {
    since: 1,
    table: 'owner_purposes',
    values: { owner_id: JULIET_ID, purpose: 'profile', bytes: 100, pending_bytes: 0 },
  },
  { since: 1, table: 'uploads', values: { ...storedUpload, id: STORED, blob: `aa/${STORED}.jpg` } },
  {
    since: 1,
    table: 'uploads',
    values: {
      ...upload,
      id: ISSUED,
      blob: `bb/${ISSUED}.jpg`,
      put_key: `key of ${ISSUED}`,
      state: 'issued',
      stored_at: null,
      touched: 0,
    },
  },
  {
    since: 1,
    table: 'uploads',
    values: {
      ...storedUpload,
      id: FOREIGN,
      blob: `dd/${FOREIGN}.jpg`,
      locator: FOREIGN_LOCATOR,
      owner_id: JULIET_ID,
      door: 'import',
      purpose: 'profile',
    },
  },
  {
    since: 1,
    table: 'rates',
    values: {
      owner_id: ROMEO_ID,
      width: HOUR / 64,
      start_at: NOW,
      last_at: NOW,
      ends_at: NOW + HOUR,
      uploads: 2,
      bytes: 200,
    },
  },
  {
    since: 1,
    table: 'removals',
    values: {
      locator: REMOVED,
      removed_at: NOW,
      id: REMOVED,
      owner_id: ROMEO_ID,
      door: 'slot_api',
      name: 'letter.txt',
      size: 5,
      stored: 1,
      created_at: NOW - HOUR,
      reason: 'expired',
      detail: '30d',
      tombstone: 0,
    },
  },
  { since: 1, table: 'doomed', values: { blob: `cc/${REMOVED}.txt` } },
  { since: 1, table: 'instances', values: { id: 'process', host: 'h', pid: 1, seen_at: NOW } },
  { since: 2, table: 'old_paths', values: { path: '/old/', namespace: 'import' } },
  {
    since: 3,
    table: 'queued',
    values: {
      queue: 'outbox',
      lane: ROMEO,
      id: 1,
      owner: ROMEO,
      body: '{"a":"ä"}',
      queued_at: NOW,
      give_up_at: NOW + HOUR,
    },
  },
  {
    since: 3,
    table: 'lanes',
    values: { queue: 'outbox', lane: ROMEO, head: 1, attempts: 2, ready_at: NOW, holder: null },
  },
  {
    since: 3,
    table: 'requests',
    values: {
      owner: ROMEO,
      key: 'k',
      digest: 'd',
      answer: '{"id":"1"}',
      instance: 'process',
      begun_at: NOW,
      expires_at: NOW + HOUR,
    },
  },
  {
    since: 3,
    table: 'message_rates',
    values: { key: ROMEO, width: HOUR / 64, buckets: `[${NOW},${NOW},3]`, ends_at: NOW + HOUR },
  },
  { since: 7, table: 'store_identity', values: { one_row: 1, id: 'store', is_marked: 1 } },
  {
    since: 7,
    table: 'import_intents',
    values: { id: '01ffffffffffffffffffffffff', blob: 'ff/01ffffffffffffffffffffffff.jpg', started_at: NOW },
  },
  {
    since: 10,
    table: 'refusals',
    values: {
      owner: ROMEO,
      endpoint: 'component',
      code: 'file_too_large',
      upload_id: '',
      is_denied: 0,
      times: 2,
      first_at: NOW,
      last_at: NOW + 1,
      text: 'Too large.',
      name: 'film.mp4',
      size: null,
    },
  },
  {
    since: 13,
    table: 'web_sessions',
    values: {
      secret_hash: 'hash',
      jid: ROMEO,
      client: 'Firefox',
      created_at: NOW,
      last_used_at: NOW,
      expires_at: NOW + HOUR,
    },
  },
  {
    since: 13,
    table: 'web_tokens',
    values: {
      id: 'token',
      secret_hash: 'hash',
      jid: ROMEO,
      name: 'script',
      scopes: 'files:read',
      created_at: NOW,
      last_used_at: null,
      expires_at: null,
    },
  },
  {
    since: 13,
    table: 'sign_in_links',
    values: { browser_hash: 'b', code_hash: 'c', jid: ROMEO, attempts: 0, expires_at: NOW },
  },
  {
    since: 13,
    table: 'guest_links',
    values: {
      id: 'guest',
      secret_hash: 'g',
      jid: ROMEO,
      note: '',
      max_bytes: null,
      max_files: 3,
      used_bytes: 0,
      used_files: 0,
      created_at: NOW,
      expires_at: NOW + HOUR,
    },
  },
  {
    since: 13,
    table: 'trash',
    values: {
      id: '01eeeeeeeeeeeeeeeeeeeeeeee',
      locator: null,
      owner_id: ROMEO_ID,
      endpoint: 'component',
      purpose: '',
      name: 'old.jpg',
      type: 'image/jpeg',
      size: 7,
      blob: 'ee/01eeeeeeeeeeeeeeeeeeeeeeee.jpg',
      created_at: NOW,
      deadline: NOW,
      stored_at: NOW,
      expires_at: null,
      removed_at: NOW,
      removed_by: ROMEO,
      purge_at: NOW + HOUR,
    },
  },
  {
    since: 13,
    table: 'audit',
    values: {
      id: 'entry',
      at: NOW,
      actor: ROMEO,
      address: '127.0.0.1',
      action: 'delete',
      subject: ROMEO,
      files: 1,
      bytes: 7,
    },
  },
  { since: 13, table: 'usage_history', values: { at: NOW, files: 2, bytes: 200 } },
  { since: 14, table: 'dead_writers', values: { tag: 'abcd1234' } },
  { since: 15, table: 'daily_counts', values: { day: NOW, uploads: 1, downloads: 2, refusals: 3 } },
  {
    since: 15,
    table: 'sweep_runs',
    values: {
      id: 'run',
      started_at: NOW,
      duration_ms: 5,
      unused: 1,
      expired: 2,
      soft_quota: 3,
      bytes: 4,
      dead_claims: 5,
      records: 6,
    },
  },
  {
    since: 15,
    table: 'hook_calls',
    values: { hook: 'grafana', at: NOW, status: 200, address: '127.0.0.1', program: 'curl', refusal: '' },
  },
  {
    since: 16,
    table: 'quarantine',
    values: {
      id: '01hhhhhhhhhhhhhhhhhhhhhhhh',
      locator: '01hhhhhhhhhhhhhhhhhhhhhhhh',
      put_key: null,
      owner: ROMEO,
      endpoint: 'component',
      purpose: '',
      name: 'macro.doc',
      type: 'application/msword',
      size: 5,
      blob: 'hh/01hhhhhhhhhhhhhhhhhhhhhhhhattempt.doc',
      created_at: NOW,
      deadline: NOW,
      expires_at: null,
      sha256: 'hash',
      signature: 'Test.Signature',
      found_at: NOW,
      purge_at: NOW,
    },
  },
  {
    since: 16,
    table: 'blocked_hashes',
    values: { sha256: 'hash', reason: 'spam', blocked_by: 'admin', blocked_at: NOW, size: null },
  },
];

/** Tables of states and steps, which other tests cover, and tables that a migration fills itself. */
export const tablesWithoutRows = ['standings', 'pending_steps', 'totals', 'queues'];

/** Changes of rows that migrations insert, so that the counters match the rows above. */
export const earlierChanges: readonly { readonly since: number; readonly sql: string }[] = [
  {
    since: 1,
    sql: `update totals set owners = 1, removals = 1, uploads = 1, bytes = 100, pending_uploads = 1, pending_bytes = 100
      where shard = ${ROMEO_ID % 16}`,
  },
  { since: 1, sql: `update totals set owners = 1, uploads = 1, bytes = 100 where shard = ${JULIET_ID % 16}` },
  { since: 3, sql: "update queues set waiting = 1, last_id = 1 where queue = 'outbox'" },
];

/** New names of tables, by their first name. */
const TABLES: Readonly<Record<string, string>> = {
  doomed: 'pending_deletes',
  rates: 'upload_rates',
  queued: 'queue_items',
  lanes: 'queue_keys',
  requests: 'idempotency_keys',
};
/** New names of columns, by the first name of their table. */
const COLUMNS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  uploads: {
    door: 'endpoint',
    claim: 'claim_token',
    touched: 'may_have_bytes',
    claimed_with: 'reserved_by_put',
    rated: 'rate_buckets',
  },
  removals: { door: 'endpoint', stored: 'was_stored' },
  queued: { lane: 'queue_key' },
  lanes: { lane: 'queue_key', head: 'first_id', holder: 'taken_by' },
  requests: { digest: 'request_digest', answer: 'response', begun_at: 'started_at' },
};

/** Returns a row with the names that tables and columns have now. */
export function inNewNames({ since, table, values }: EarlierRow): EarlierRow {
  const renamed = Object.entries(values).map(([name, value]) => [COLUMNS[table]?.[name] ?? name, value]);
  return { since, table: TABLES[table] ?? table, values: Object.fromEntries(renamed) };
}
