import { createHash } from 'node:crypto';
import type { ClusterConnection } from './connection.ts';

/** Names in the database that depend on the ledger. Several ledgers may share a database, each in a separate schema. */
export interface ClusterNames {
  /** The two keys of the leader's advisory lock. */
  readonly leaderLock: readonly [number, number];
  /** The notification channel of the leading process. */
  readonly leaderChannel: string;
  /** The notification channel of one process. */
  processChannel(id: string): string;
  /** The schema of pg-boss. */
  readonly jobSchema: string;
}

/** An arbitrary constant. All versions of Porter must use the same. */
const LEADER_LOCK = 7_086_738;
const PLAIN_NAME = /^[a-z][a-z0-9_]{0,40}$/;

/** Derives the names from the schema of the ledger's tables. */
export async function readClusterNames(connection: ClusterConnection): Promise<ClusterNames> {
  const [row] = await connection.query<{ name: string | null }>('select current_schema() as name');
  return namesForSchema(row?.name ?? 'public');
}

function namesForSchema(schema: string): ClusterNames {
  const hash = createHash('sha256').update(schema).digest();
  const short = hash.toString('hex', 0, 6);
  return {
    // `pg_locks` shows keys as unsigned numbers, so only positive ones compare equal there.
    leaderLock: [LEADER_LOCK, hash.readUInt32BE() >>> 1],
    leaderChannel: `porter_${short}`,
    processChannel: (id) => `porter_${short}_${id}`,
    jobSchema: schema === 'public' ? 'porter_jobs' : `${PLAIN_NAME.test(schema) ? schema : short}_jobs`,
  };
}
