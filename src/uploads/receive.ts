import { Refusal } from '../base/errors.ts';
import { randomId } from '../base/ids.ts';
import type { Upload } from '../base/records.ts';
import type { Claimed } from '../ledger/contract.ts';
import { isVisible } from '../policy/retention.ts';
import { checkArrival, fill } from './fill.ts';
import { fullOr } from './full.ts';
import type { Arrival, ReceiveDeps } from './incoming.ts';
import { isSame } from './repeat.ts';
import { claimSigned } from './signed.ts';

export interface Receipt {
  readonly upload: Upload;
  /** Were these bytes here before? */
  readonly again: boolean;
}

/** A phone that changed networks leaves a connection that says nothing any more. */
const TAKEOVER_AFTER = 3000;
const ATTEMPTS = 3;

/**
 * Takes the bytes of a slot: resolves when they are stored, durable and can be fetched, else rejects
 * (`Refusal`, or a fault of ours) with nothing left of them; the slot can then be tried again in its time.
 */
export async function receive(deps: ReceiveDeps, arrival: Arrival): Promise<Receipt> {
  let upload: Upload | undefined;
  try {
    const token = randomId();
    const claimed = await claim(deps, arrival, token);
    if (claimed.outcome !== 'unknown') upload = claimed.upload;
    return await settle(deps, claimed, token, arrival);
  } catch (failure) {
    const refusal = fullOr(failure);
    if (refusal instanceof Refusal) noteRefusal(deps, refusal, upload, arrival);
    else deps.meter.refused(upload?.door ?? arrival.door, 'internal');
    throw refusal;
  }
}

async function settle(
  deps: ReceiveDeps,
  claimed: Claimed,
  token: string,
  arrival: Arrival,
): Promise<Receipt> {
  switch (claimed.outcome) {
    case 'claimed':
      return { upload: await fill(deps, claimed.upload, token, arrival), again: false };
    case 'stored':
      return repeat(deps, claimed.upload, arrival);
    case 'receiving':
      throw new Refusal('being_uploaded');
    case 'unknown':
      throw new Refusal((await isRemoved(deps, arrival.by)) ? 'removed' : 'slot_unknown');
  }
}

function noteRefusal(
  deps: ReceiveDeps,
  { code, message }: Refusal,
  upload: Upload | undefined,
  { door, body }: Arrival,
): void {
  deps.meter.refused(upload?.door ?? door, code);
  if (upload === undefined) return;
  const { id, owner } = upload;
  deps.log.info(
    { id, owner, door: upload.door, code, received: body.received },
    `upload refused: ${message}`,
  );
}

/** Where another attempt of this process stands in the way and has fallen silent or is just ending, waits for that. */
async function claim(deps: ReceiveDeps, arrival: Arrival, token: string): Promise<Claimed> {
  for (let attempt = 1; ; attempt += 1) {
    const claimed = await claimOnce(deps, arrival, token);
    if (claimed.outcome !== 'receiving' || attempt === ATTEMPTS) return claimed;
    if (!(await outlived(deps, claimed.upload.id))) return claimed;
  }
}

function claimOnce(deps: ReceiveDeps, { signed, ...arrival }: Arrival, token: string): Promise<Claimed> {
  if (signed) return claimSigned(deps, { ...arrival, signed }, token);
  return deps.ledger.claim({ by: arrival.by, token, instance: deps.instance, now: deps.clock() });
}

/** Is the attempt that held this upload over? An attempt that is alive is left alone. */
async function outlived(deps: ReceiveDeps, id: string): Promise<boolean> {
  const older = deps.transfers.of(id);
  if (!older) return false;
  const { takeoverAfter = TAKEOVER_AFTER } = deps;
  if (!older.body.complete) {
    if (older.body.idleFor() < takeoverAfter) return false;
    older.body.abort(new Refusal('being_uploaded', { text: 'A newer attempt has taken over this upload.' }));
  }
  await older.ended;
  return true;
}

/** The answer to the first attempt may have got lost: the same bytes again are fine for a while. */
async function repeat(deps: ReceiveDeps, upload: Upload, arrival: Arrival): Promise<Receipt> {
  const now = deps.clock();
  if (!isVisible(deps.rules().retention, upload, now)) throw new Refusal('removed');
  if (now >= repeatEnd(upload, arrival)) throw new Refusal('already_there');
  if (arrival.size !== null && arrival.size !== upload.size) throw new Refusal('already_there');
  checkArrival(deps, upload, arrival);
  arrival.body.accept();
  if (!(await isSame(deps, upload, arrival.body))) throw new Refusal('already_there');
  return { upload, again: true };
}

function repeatEnd({ storedAt, deadline }: Upload, { signed }: Arrival): number {
  const repeatFor = signed?.repeatFor ?? null;
  return repeatFor === null || storedAt === null ? deadline : storedAt + repeatFor;
}

async function isRemoved({ ledger }: ReceiveDeps, by: Arrival['by']): Promise<boolean> {
  return 'locator' in by && (await ledger.findRemoval(by.locator)) !== undefined;
}
