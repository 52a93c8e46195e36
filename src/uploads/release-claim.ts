import type { Upload } from '../base/upload-records.ts';
import type { UploadServices } from './services.ts';

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;

/**
 * Gives a claim back, so that the slot can be tried again. While the ledger cannot be reached it tries again in
 * the background: nobody else ever would, because this process lives.
 */
export async function releaseClaim(deps: UploadServices, upload: Upload, token: string): Promise<void> {
  try {
    await deps.ledger.release({ id: upload.id, token, now: deps.clock() });
  } catch (err) {
    deps.log.error({ err, id: upload.id }, 'a claim could not be given back; trying again');
    retryLater(deps, upload, token, FIRST_PAUSE);
  }
}

function retryLater(deps: UploadServices, upload: Upload, token: string, pause: number): void {
  const again = () => {
    deps.ledger.release({ id: upload.id, token, now: deps.clock() }).catch(() => {
      retryLater(deps, upload, token, Math.min(pause * 2, LONGEST_PAUSE));
    });
  };
  setTimeout(again, pause).unref();
}
