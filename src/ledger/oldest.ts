import type { Queryable } from './database.ts';

export interface Stored {
  readonly id: string;
  readonly size: number;
  readonly stored_at: number;
}

const PAGE = 200;

/** An owner's stored uploads of some purposes, the oldest first. */
export async function* oldestFirst(
  q: Queryable,
  ownerId: number,
  purposes: readonly string[],
): AsyncGenerator<Stored> {
  const lines = purposes.map((purpose) => oneLine(q, ownerId, purpose));
  const heads = await Promise.all(lines.map((line) => line.next()));
  for (;;) {
    const first = oldestOf(heads);
    if (first === undefined) return;
    const head = heads[first];
    if (head?.value) yield head.value;
    heads[first] = (await lines[first]?.next()) ?? { done: true, value: undefined };
  }
}

function oldestOf(heads: readonly IteratorResult<Stored, void>[]): number | undefined {
  let first: number | undefined;
  let age = Number.POSITIVE_INFINITY;
  for (const [i, head] of heads.entries()) {
    if (head.done || head.value.stored_at >= age) continue;
    age = head.value.stored_at;
    first = i;
  }
  return first;
}

async function* oneLine(q: Queryable, ownerId: number, purpose: string): AsyncGenerator<Stored, void> {
  let after: Pick<Stored, 'id' | 'stored_at'> = { stored_at: -1, id: '' };
  for (;;) {
    const page: Stored[] = await q.query<Stored>(
      `select id, size, stored_at from uploads
        where state = 'stored' and owner_id = $1 and purpose = $2 and (stored_at, id) > ($3, $4)
        order by stored_at, id limit $5`,
      [ownerId, purpose, after.stored_at, after.id, PAGE],
    );
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < PAGE) return;
    after = last;
  }
}
