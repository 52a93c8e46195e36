import type {
  AppendState,
  BeginResumableParams,
  ReceivedParams,
  ResumeParams,
  ResumeResult,
  UploadResource,
} from '../../contract/resumable-uploads.ts';
import type { Queryable } from '../database.ts';
import { ledgerTimeSql } from '../processes/heartbeats.ts';
import { SELECT_UPLOADS, toUpload, type UploadRow, type UploadRowWithOwner } from '../rows.ts';
import { abandonedClaimSql } from './claims.ts';

const HOLDS_CLAIM = "id = $1 and claim_token = $2 and state = 'receiving'";

/** Implements `ResumableUploadStore.beginResumable`. */
export async function makeResumable(
  q: Queryable,
  { id, token, resourceKey, blob }: BeginResumableParams,
): Promise<boolean> {
  const rows = await q.query(
    `update uploads set resource_key = $3, received = 0, stop_requested = 0, blob = $4 where ${HOLDS_CLAIM} returning id`,
    [id, token, resourceKey, blob],
  );
  return rows.length === 1;
}

/** Implements `ResumableUploadStore.resume`. */
export async function claimResource(q: Queryable, params: ResumeParams): Promise<ResumeResult> {
  const { resourceKey, token, instance, now, ledgerTime = null } = params;
  const [row] = await q.query<UploadRowWithOwner>(
    `update uploads set state = 'receiving', claim_token = $2, instance = $3, claimed_at = ${ledgerTimeSql(q, '$5')},
       stop_requested = 0
      where resource_key = $1 and deadline > $4 and (state = 'issued' or (${abandonedClaimSql(q, '$5')}))
      returning *, (select name from owners where owners.id = owner_id) as owner`,
    [resourceKey, token, instance, now, ledgerTime],
  );
  if (row) return { outcome: 'claimed', ...toResource(row) };
  const found = await queryResource(q, resourceKey);
  if (!found || found.upload.deadline <= now || found.upload.state === 'issued')
    return { outcome: 'unknown' };
  return { outcome: found.upload.state, ...found };
}

/** Implements `ResumableUploadStore.findResource`. */
export async function queryResource(q: Queryable, resourceKey: string): Promise<UploadResource | undefined> {
  const [row] = await q.query<UploadRowWithOwner>(`${SELECT_UPLOADS} where uploads.resource_key = $1`, [
    resourceKey,
  ]);
  return row && toResource(row);
}

function toResource(row: UploadRowWithOwner): UploadResource {
  const received = row.state === 'stored' ? row.size : (row.received ?? 0);
  return { upload: toUpload(row, row.owner), received };
}

/** `$3`: bytes, `$4`: deadline. */
const SET_RECEIVED = `received = case when received > $3 then received else $3 end,
  deadline = case when deadline > $4 then deadline else $4 end`;

/** Implements `ResumableUploadStore.recordReceived`. */
export async function updateReceived(
  q: Queryable,
  { id, token, received, deadline }: ReceivedParams,
): Promise<AppendState> {
  const [row] = await q.query<Pick<UploadRow, 'stop_requested'>>(
    `update uploads set ${SET_RECEIVED} where ${HOLDS_CLAIM} returning stop_requested`,
    [id, token, received, deadline],
  );
  return toState(row);
}

/** Implements `ResumableUploadStore.appendState`. */
export async function queryAppendState(
  q: Queryable,
  { id, token }: Pick<ReceivedParams, 'id' | 'token'>,
): Promise<AppendState> {
  const [row] = await q.query<Pick<UploadRow, 'stop_requested'>>(
    `select stop_requested from uploads where ${HOLDS_CLAIM}`,
    [id, token],
  );
  return toState(row);
}

function toState(row: Pick<UploadRow, 'stop_requested'> | undefined): AppendState {
  if (!row) return 'lost';
  return row.stop_requested === 1 ? 'stop' : 'continue';
}

/** Implements `ResumableUploadStore.pause`. */
export async function pauseUpload(
  q: Queryable,
  { id, token, received, deadline }: ReceivedParams,
): Promise<boolean> {
  const rows = await q.query(
    `update uploads set state = 'issued', claim_token = null, instance = null, stop_requested = 0, ${SET_RECEIVED}
      where ${HOLDS_CLAIM} and resource_key is not null returning id`,
    [id, token, received, deadline],
  );
  return rows.length === 1;
}

/** Pauses an upload whose process has died. Returns the number of changed rows. */
export async function pauseAbandoned(q: Queryable, row: UploadRow): Promise<number> {
  const paused = await pauseUpload(q, {
    id: row.id,
    token: row.claim_token ?? '',
    received: row.received ?? 0,
    deadline: row.deadline,
  });
  return paused ? 1 : 0;
}

/** Implements `ResumableUploadStore.requestStop`. */
export async function markStopRequested(q: Queryable, resourceKey: string): Promise<void> {
  await q.query("update uploads set stop_requested = 1 where resource_key = $1 and state = 'receiving'", [
    resourceKey,
  ]);
}
