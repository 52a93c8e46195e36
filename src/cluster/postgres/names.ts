import { createHash } from 'node:crypto';
import type { ClusterConnection } from './connection.ts';

/** What belongs to one ledger: several may share a database, each in a schema of its own. */
export interface ClusterNames {
  /** Two numbers that name the advisory lock of the process that leads. */
  readonly leaderLock: readonly [number, number];
  /** The notification channel of the process that leads. */
  readonly leaderChannel: string;
  /** The channel of one process. */
  processChannel(id: string): string;
  /** The schema of pg-boss. */
  readonly jobSchema: string;
}

/** Any number, but for ever the same. */
const LEADER_LOCK = 7_086_738;
const PLAIN_NAME = /^[a-z][a-z0-9_]{0,40}$/;

/** As the schema says in which the ledger's tables are. */
export async function readClusterNames(link: ClusterConnection): Promise<ClusterNames> {
  const [row] = await link.query<{ name: string | null }>('select current_schema() as name');
  return namesIn(row?.name ?? 'public');
}

function namesIn(schema: string): ClusterNames {
  const hash = createHash('sha256').update(schema).digest();
  const short = hash.toString('hex', 0, 6);
  return {
    // Positive, so that the catalogue shows it as it was given.
    leaderLock: [LEADER_LOCK, hash.readUInt32BE() >>> 1],
    leaderChannel: `porter_${short}`,
    processChannel: (id) => `porter_${short}_${id}`,
    jobSchema: schema === 'public' ? 'porter_jobs' : `${PLAIN_NAME.test(schema) ? schema : short}_jobs`,
  };
}
