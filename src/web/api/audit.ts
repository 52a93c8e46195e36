import { timeOrderedId } from '../../base/ids.ts';
import type { WebServices } from '../web-services.ts';
import type { ApiCall } from './handlers.ts';

/** The actions that the audit records. The page has a text for each of them. */
export const AUDITED_ACTIONS = [
  'delete_files',
  'delete_all_files',
  'restore_files',
  'forget_user',
  'test_hook',
  'download_infected',
  'delete_infected',
  'release_infected',
  'block_file',
  'unblock_file',
  'create_guest_link',
  'revoke_guest_link',
] as const;
export type AuditedAction = (typeof AUDITED_ACTIONS)[number];

/** Records an action and the client. `subject`: the owner of the files, `several`, a SHA-256, or the name of a hook. */
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
