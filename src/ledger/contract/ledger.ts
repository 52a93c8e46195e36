import type { ActivityStore } from './activity.ts';
import type { AdminStore } from './admin.ts';
import type { ContentStore } from './content.ts';
import type { CopyStore } from './copy.ts';
import type { DirectUploadStore } from './direct-uploads.ts';
import type { FileStore } from './files.ts';
import type { MessageStore } from './messages.ts';
import type { ProcessStore } from './processes.ts';
import type { QuotaStore } from './quota.ts';
import type { RefusalStore } from './refusals.ts';
import type { ResumableUploadStore } from './resumable-uploads.ts';
import type { IdentityStore } from './store-identity.ts';
import type { UploadStore } from './uploads.ts';
import type { WebStore } from './web.ts';

export * from './activity.ts';
export * from './admin.ts';
export type * from './content.ts';
export * from './copy.ts';
export type * from './direct-uploads.ts';
export * from './files.ts';
export { LedgerError, type LedgerErrorKind } from './ledger-error.ts';
export type * from './messages.ts';
export * from './processes.ts';
export * from './quota.ts';
export * from './refusals.ts';
export type * from './resumable-uploads.ts';
export type * from './store-identity.ts';
export type * from './uploads.ts';
export * from './web.ts';

/**
 * The metadata database: owners, uploads, quotas, and the queues of messages. The interfaces are split by their users.
 *
 * - Every method is one transaction. It takes effect as a whole or not at all.
 * - With `sync`, a resolved promise means that the change survives a power cut. The methods that `sql/methods.ts` marks as
 *   `lazy` are the exception: a power cut may undo them, together with all later changes. The client then repeats its request.
 * - The cost of a method does not grow with the number of rows. Work that could be large takes a `limit`, and its returned
 *   count shows whether more is left.
 * - Expected outcomes are returned as values. A rejected promise is a `LedgerError` of the store.
 * - Arguments and results are plain data, because a back end may run in another thread.
 *
 * Times are milliseconds since 1970, sizes are bytes.
 */
export interface Ledger
  extends UploadStore,
    DirectUploadStore,
    ResumableUploadStore,
    QuotaStore,
    RefusalStore,
    MessageStore,
    ProcessStore,
    AdminStore,
    FileStore,
    ContentStore,
    WebStore,
    ActivityStore,
    IdentityStore,
    CopyStore {
  close(): Promise<void>;
}
