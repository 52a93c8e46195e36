import type { Standing } from './carrying.ts';
import type { Admits, Queryable } from './database.ts';
import { LedgerFault } from './fault.ts';

/** The standing that is kept; a ledger that nobody moves keeps none. */
export const SELECT_STANDING = 'select standing from standings';

export async function standing(q: Queryable): Promise<Standing> {
  const [row] = await q.query<{ standing: Standing }>(SELECT_STANDING);
  return row?.standing ?? 'open';
}

/** See `Carrying.stand`; nobody else may be in the middle of anything. */
export async function stand(q: Queryable, to: Standing): Promise<void> {
  await q.query('delete from standings');
  if (to !== 'open') await q.query('insert into standings (standing) values ($1)', [to]);
}

const ADMITTED: Readonly<Record<Exclude<Admits, 'always'>, readonly Standing[]>> = {
  open: ['open'],
  ending: ['open', 'closing'],
  arriving: ['arriving'],
};

const WHY: Readonly<Record<Standing, string>> = {
  open: 'Nothing is being moved to this ledger.',
  closing: 'The ledger is being moved to another place.',
  away: 'The ledger has moved to another place: start Porter with the config of the new one.',
  arriving: 'The ledger is still being moved to this place: porter move --finish opens it.',
};

/** Undefined where work of this kind may be done. */
export function refusalOf(found: Standing, admits: Exclude<Admits, 'always'>): LedgerFault | undefined {
  if (ADMITTED[admits].includes(found)) return undefined;
  return new LedgerFault('moved', WHY[found]);
}
