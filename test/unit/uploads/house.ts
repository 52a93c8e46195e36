import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { putKeyOf } from '../../../src/base/ids.ts';
import { createLog } from '../../../src/base/log.ts';
import { createMeter } from '../../../src/base/meter.ts';
import { fsBlobs } from '../../../src/blobs/fs.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite.ts';
import { type AccessRule, compileAccess, openRule } from '../../../src/policy/access.ts';
import type { Retention } from '../../../src/policy/retention.ts';
import type { UploadDeps, UploadRules } from '../../../src/uploads/deps.ts';
import { type GrantedSlot, grant, type SlotRequest } from '../../../src/uploads/grant.ts';

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;

export interface TestHouse {
  readonly deps: UploadDeps;
  /** Where the ledger and the blobs are. */
  readonly folder: string;
  /** Moves the clock. */
  pass(ms: number): void;
  /** Replaces some of the rules. */
  rule(change: Partial<UploadRules>): void;
  ask(request?: Partial<SlotRequest>): Promise<GrantedSlot>;
  /** A slot and its file, stored. */
  upload(request?: Partial<SlotRequest>): Promise<GrantedSlot>;
  close(): Promise<void>;
}

export function access(rule: Partial<AccessRule> = {}): UploadRules['access'] {
  return compileAccess([{ ...openRule, jid: ['@example\\.org$'], ...rule }]);
}

export const retention: Retention = {
  max_age: 30 * DAY,
  soft_quota: 0,
  purposes: { message: {}, profile: { max_age: null }, ephemeral: { max_age: 7 * DAY } },
  name_prefixes: { story_: 'ephemeral' },
};

/** Real stores in a temporary folder, and a clock of our own. */
export async function openHouse(t: TestContext): Promise<TestHouse> {
  const folder = await mkdtemp(join(tmpdir(), 'porter-house-'));
  const ledger = await openSqliteLedger({ file: join(folder, 'porter.db'), sync: false });
  const blobs = fsBlobs({ root: join(folder, 'blobs'), sync: false });
  let now = Date.UTC(2026, 0, 1);
  let rules: UploadRules = {
    access: access(),
    retention,
    globalQuota: null,
    slotTimeout: 6 * MINUTE,
    typeMismatch: 'refuse',
  };
  const deps: UploadDeps = {
    ledger,
    blobs,
    rules: () => rules,
    clock: () => now,
    log: createLog({ level: 'silent', format: 'json' }),
    meter: createMeter(),
    instance: 'test',
  };
  const ask = (request: Partial<SlotRequest> = {}) =>
    grant(deps, {
      door: 'component',
      jid: 'romeo@example.org/garden',
      name: 'a.jpg',
      size: 100,
      type: 'image/jpeg',
      ...request,
    });
  const house: TestHouse = {
    deps,
    folder,
    pass(ms) {
      now += ms;
    },
    rule(change) {
      rules = { ...rules, ...change };
    },
    ask,
    async upload(request) {
      const slot = await ask(request);
      await fill(deps, slot);
      return slot;
    },
    async close() {
      await ledger.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  t.after(() => house.close());
  return house;
}

async function fill({ ledger, blobs, clock }: UploadDeps, slot: GrantedSlot): Promise<void> {
  const order = { token: 'claim', instance: 'test', now: clock() };
  const claimed = await ledger.claim({ ...order, by: { putKey: putKeyOf(slot.token) } });
  if (claimed.outcome !== 'claimed') throw new Error(claimed.outcome);
  await blobs.put(claimed.upload.blob, one(Buffer.alloc(slot.size, 'x')));
  await ledger.commit({ id: slot.id, token: 'claim', now: clock(), size: slot.size });
}

async function* one(chunk: Buffer): AsyncGenerator<Buffer[]> {
  yield [chunk];
}
