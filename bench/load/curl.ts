import { runProgram } from '../../test/real/support/program.ts';
import type { Run } from '../rounds.ts';
import type { FileServer, UploadSlot } from '../servers/file-server.ts';

/** Downloads files one after the other over one connection. The result counts megabytes. */
export async function download(urls: readonly string[]): Promise<Run> {
  return curl(
    urls.flatMap((url) => ['-o', '/dev/null', url]),
    200,
  );
}

/**
 * Uploads a file to each slot, one after the other. Sends the whole file with its length, as clients do, without waiting for
 * `100 Continue`. The result counts megabytes.
 */
export async function upload(
  { url, putStatus = 201 }: Pick<FileServer, 'url' | 'putStatus'>,
  slots: readonly UploadSlot[],
  file: string,
): Promise<Run> {
  const transfers = slots.map(({ putPath, headers }) => [
    ...Object.entries({ ...headers, Expect: '' }).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
    ...['-T', file, '-o', '/dev/null', url + putPath],
  ]);
  const perTransfer = ['-s', '-k', '-w', REPORT];
  return curl(
    transfers.flatMap((transfer, index) =>
      index === 0 ? transfer : ['--next', ...perTransfer, ...transfer],
    ),
    putStatus,
  );
}

const REPORT = '%{http_code} %{size_download} %{size_upload} %{time_total}\\n';

async function curl(args: readonly string[], status: number): Promise<Run> {
  const { code, stdout, stderr } = await runProgram('curl', ['-s', '-S', '-k', '-w', REPORT, ...args]);
  if (code !== 0) throw new Error(`curl ended with ${code}: ${stderr.trim()}`);
  const transfers = stdout.trim().split('\n').map(readTransfer);
  const wrong = transfers.find((transfer) => transfer.status !== status);
  if (wrong) throw new Error(`an answer was ${wrong.status} and not ${status}`);
  const bytes = sum(transfers.map((transfer) => transfer.bytes));
  return { done: bytes / 1e6, seconds: sum(transfers.map(({ seconds }) => seconds)) };
}

function readTransfer(line: string) {
  const [status = 0, down = 0, up = 0, seconds = 0] = line.split(' ').map(Number);
  return { status, bytes: down + up, seconds };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
