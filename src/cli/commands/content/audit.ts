import { timeOrderedId } from '../../../base/ids.ts';
import type { UploadServices } from '../../../uploads/services.ts';

type AuditEntry = Parameters<UploadServices['ledger']['recordAudit']>[0];

/** Adds an action of a command to the audit log, which the web page shows. */
export async function recordCommand(
  { ledger, clock }: Pick<UploadServices, 'ledger' | 'clock'>,
  entry: Omit<AuditEntry, 'id' | 'at' | 'address'>,
): Promise<void> {
  const at = clock();
  await ledger.recordAudit({ id: timeOrderedId(at), at, address: '', ...entry });
}
