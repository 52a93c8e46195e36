import { randomId, toPutKey } from '../base/ids.ts';
import { allowAllRule } from '../policy/access.ts';
import { type GrantedSlot, grantSlot } from './grant-slot.ts';
import { eraseOwner, removeUploads } from './remove.ts';
import type { UploadServices } from './services.ts';

/** Domain of the owners of test uploads. Accounts cannot exist in `.invalid` (RFC 6761 section 6.4). */
const DOMAIN = 'doctor.invalid';
/** Test uploads expire after this time, in case the doctor is killed. */
const LIFETIME_MS = 15 * 60_000;
const SLOT_MS = 5 * 60_000;

/** Test uploads of one run of `porter doctor`. */
export interface ProbeUploads {
  /** Grants a slot regardless of the access rules and quotas. */
  requestSlot(file: { name: string; size: number; type: string }): Promise<GrantedSlot>;
  /** Returns the upload token of one test upload, with which requests show that they come from the doctor. */
  token(): Promise<string>;
  /** Returns how far the running server has got with the upload. */
  getState(id: string): Promise<'waiting' | 'receiving' | 'stored' | 'gone'>;
  remove(id: string): Promise<void>;
  /** Removes all test uploads and their records. A check that was interrupted gets no further slot: `requestSlot` rejects. */
  close(): Promise<void>;
}

export function createProbeUploads(services: UploadServices): ProbeUploads {
  const owner = `${randomId()}@${DOMAIN}`;
  const rules = {
    ...services.rules(),
    access: {
      decide: () => ({ allowed: true, index: 0, rule: allowAllRule }) as const,
      patternsOf: () => allowAllRule.jid,
    },
    globalQuota: null,
    slotTimeout: SLOT_MS,
  };
  const unrestricted: UploadServices = { ...services, rules: () => rules };
  const granting = new Set<Promise<unknown>>();
  let isClosed = false;
  const requestSlot: ProbeUploads['requestSlot'] = async (file) => {
    if (isClosed) throw new Error('the doctor was interrupted');
    const slot = grantSlot(unrestricted, {
      endpoint: 'admin',
      jid: owner,
      ...file,
      expiresAt: services.clock() + LIFETIME_MS,
    });
    granting.add(slot);
    return await slot.finally(() => granting.delete(slot));
  };
  let identity: Promise<GrantedSlot> | undefined;
  return {
    requestSlot,
    async token() {
      identity ??= requestSlot({ name: 'identity.txt', size: 1, type: 'text/plain' }).catch((error) => {
        // The next call tries again.
        identity = undefined;
        throw error;
      });
      return (await identity).token;
    },
    async getState(id) {
      const upload = await services.ledger.find(id);
      if (upload === undefined) return 'gone';
      return upload.state === 'issued' ? 'waiting' : upload.state;
    },
    async remove(id) {
      await removeUploads(unrestricted, {
        ids: [id],
        reason: 'deleted',
        detail: 'test upload of porter doctor',
        withoutRecord: true,
        forGood: true,
      });
    },
    async close() {
      isClosed = true;
      await Promise.allSettled(granting);
      await eraseOwner(unrestricted, owner, undefined, { withoutRecord: true });
    },
  };
}

/** Returns true if a PUT token belongs to a test upload. Its holder may see how the request arrived. */
export async function isProbeToken(
  { ledger }: Pick<UploadServices, 'ledger'>,
  token: string,
): Promise<boolean> {
  const upload = await ledger.findByPutKey(toPutKey(token));
  return upload?.owner.endsWith(`@${DOMAIN}`) ?? false;
}
