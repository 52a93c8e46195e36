import { createHash } from 'node:crypto';
import type { Link } from './postgres-link.ts';

/** What belongs to one ledger: several may share a database, each in a schema of its own. */
export interface Names {
  /** Two numbers that name the advisory lock of the process that leads. */
  readonly lock: readonly [number, number];
  /** The notification channel of the process that leads. */
  readonly leader: string;
  /** The channel of one process. */
  process(id: string): string;
  /** The schema of pg-boss. */
  readonly jobs: string;
}

/** Any number, but for ever the same. */
const LEADER_LOCK = 7_086_738;
const PLAIN_NAME = /^[a-z][a-z0-9_]{0,40}$/;

/** As the schema says in which the ledger's tables are. */
export async function namesOf(link: Link): Promise<Names> {
  const [row] = await link.query<{ name: string | null }>('select current_schema() as name');
  return namesIn(row?.name ?? 'public');
}

function namesIn(schema: string): Names {
  const hash = createHash('sha256').update(schema).digest();
  const short = hash.toString('hex', 0, 6);
  return {
    // Positive, so that the catalogue shows it as it was given.
    lock: [LEADER_LOCK, hash.readUInt32BE() >>> 1],
    leader: `porter_${short}`,
    process: (id) => `porter_${short}_${id}`,
    jobs: schema === 'public' ? 'porter_jobs' : `${PLAIN_NAME.test(schema) ? schema : short}_jobs`,
  };
}
