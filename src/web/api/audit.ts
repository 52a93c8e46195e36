import { timeOrderedId } from '../../base/ids.ts';
import type { WebServices } from '../web-services.ts';
import type { ApiCall } from './handlers.ts';

/** Something that a person has done through the API, as the audit names it. */
export type AuditedAction =
  | 'delete_files'
  | 'delete_all_files'
  | 'restore_files'
  | 'forget_user'
  | 'test_hook'
  | 'download_infected'
  | 'delete_infected'
  | 'release_infected'
  | 'block_file'
  | 'unblock_file'
  | 'create_guest_link'
  | 'revoke_guest_link';

/** Records who has done what to whose files. `subject`: the owner of the files, or `several`. */
export async function recordAction(
  { ledger, clock, log }: Pick<WebServices, 'ledger' | 'clock' | 'log'>,
  { principal, client }: Pick<ApiCall, 'principal' | 'client'>,
  action: AuditedAction,
  subject: string,
  { removed = 0, restored = 0, bytes = 0 }: { removed?: number; restored?: number; bytes?: number } = {},
): Promise<void> {
  const at = clock();
  const entry = {
    id: timeOrderedId(at),
    at,
    actor: principal?.jid ?? 'admin token',
    address: client.address,
    action,
    subject,
    files: removed + restored,
    bytes,
  };
  await ledger.recordAudit(entry);
  log.info(entry, 'action on the web page');
}
