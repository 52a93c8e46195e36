import { putKeyOf, randomId } from '../base/ids.ts';
import { openRule } from '../policy/access.ts';
import type { UploadDeps } from './deps.ts';
import { type GrantedSlot, grant } from './grant.ts';
import { forget, remove } from './remove.ts';

/** Owners of uploads that only try the system out. RFC 6761: nobody can have an account there. */
const DOMAIN = 'doctor.invalid';
/** What a killed checkup leaves behind is swept away after it. */
const LIFETIME_MS = 15 * 60_000;
const SLOT_MS = 5 * 60_000;

/** Uploads of nobody, for one look at the running system. */
export interface Checkup {
  /** A slot that a PUT may fill, past all rules and quotas of users. */
  slot(file: { name: string; size: number; type: string }): Promise<GrantedSlot>;
  /** Has the running server begun to take, or taken, the bytes of this slot? */
  stateOf(id: string): Promise<'waiting' | 'receiving' | 'stored' | 'gone'>;
  remove(id: string): Promise<void>;
  /** Removes all that is left, and every name of it. */
  end(): Promise<void>;
}

export function beginCheckup(deps: UploadDeps): Checkup {
  const owner = `${randomId()}@${DOMAIN}`;
  const rules = {
    ...deps.rules(),
    access: { decide: () => ({ allowed: true, index: 0, rule: openRule }) as const },
    globalQuota: null,
    slotTimeout: SLOT_MS,
  };
  const own: UploadDeps = { ...deps, rules: () => rules };
  return {
    slot: (file) => grant(own, { door: 'admin', jid: owner, ...file, expiresAt: deps.clock() + LIFETIME_MS }),
    async stateOf(id) {
      const upload = await deps.ledger.find(id);
      if (upload === undefined) return 'gone';
      return upload.state === 'issued' ? 'waiting' : upload.state;
    },
    async remove(id) {
      await remove(own, { ids: [id], reason: 'deleted', detail: 'a trial of porter doctor' });
    },
    async end() {
      await forget(own, owner);
    },
  };
}

/** Does this PUT token belong to a checkup? Then whoever has it may know how the request arrived. */
export async function isCheckup({ ledger }: Pick<UploadDeps, 'ledger'>, token: string): Promise<boolean> {
  const upload = await ledger.findByPutKey(putKeyOf(token));
  return upload?.owner.endsWith(`@${DOMAIN}`) ?? false;
}
