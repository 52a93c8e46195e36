import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseBareJid } from '../../base/jid.ts';
import { formatSize } from '../../base/units.ts';
import type { Endpoint, Removal, RemovalReason, Upload } from '../../base/upload-records.ts';
import type { Config } from '../../config/load.ts';
import { expiryTime, isDownloadable } from '../../policy/retention.ts';
import { fileUrl } from '../../uploads/links.ts';
import { iterateRemovals, iterateUploads } from '../../uploads/list.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { printRows, type TableColumn } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

const STATES = ['pending', 'uploaded', 'expired'] as const;
type State = (typeof STATES)[number];

interface Options {
  readonly jid?: string;
  readonly state?: State;
  readonly json?: boolean;
}

/** One line of the list. Times are ISO 8601, null = never or not yet; sizes are bytes. */
interface Row {
  readonly id: string;
  readonly state: State;
  readonly owner: string;
  readonly name: string;
  readonly size: number;
  readonly type: string | null;
  readonly purpose: string | null;
  readonly endpoint: Endpoint;
  readonly created: string;
  readonly stored: string | null;
  readonly expires: string | null;
  /** Set where it is gone already. */
  readonly removed: string | null;
  readonly reason: RemovalReason | null;
  readonly link: string | null;
}

const COLUMNS: readonly TableColumn<Row>[] = [
  { title: 'ID', text: (row) => row.id },
  { title: 'STATE', text: (row) => (row.reason === null ? row.state : `${row.state} (${row.reason})`) },
  { title: 'OWNER', text: (row) => row.owner },
  { title: 'SIZE', text: (row) => formatSize(row.size), right: true },
  { title: 'STORED', text: (row) => row.stored ?? '-' },
  { title: 'EXPIRES', text: (row) => row.removed ?? row.expires ?? 'never' },
  { title: 'NAME', text: (row) => row.name },
];

export function addUploads(program: Command, shell: CommandContext): void {
  program
    .command('uploads')
    .summary('list uploads')
    .description('Lists slots and files: all that are here, or those in one state or of one owner.')
    .option('--jid <jid>', 'only those of this owner', parseJidOption)
    .addOption(
      new Option(
        '--state <state>',
        'pending: waits for its file; expired: past its time, removed or not',
      ).choices(STATES),
    )
    .option('--json', 'print a list of objects')
    .addHelpText(
      'after',
      formatExamples('porter uploads --jid romeo@example.org --state uploaded', 'porter uploads --json'),
    )
    .action(async (options: Options, command: Command) => {
      await withRuntime(shell, command, async (deps, config) => {
        await printRows(shell, rows(deps, config, options), COLUMNS, {
          json: options.json,
          none: 'There are no such uploads.',
        });
      });
    });
}

async function* rows(deps: UploadServices, config: Config, { jid, state }: Options): AsyncGenerator<Row> {
  const owner = jid === undefined ? {} : { owner: jid };
  for await (const upload of iterateUploads(deps, owner)) {
    const row = uploadRow(deps, config, upload);
    if (state === undefined || row.state === state) yield row;
  }
  if (state !== 'expired') return;
  for await (const removal of iterateRemovals(deps, owner)) {
    if (removal.reason === 'expired' || removal.reason === 'unused') yield removalRow(removal);
  }
}

function uploadRow(deps: UploadServices, config: Config, upload: Upload): Row {
  const { id, owner, name, size, type, endpoint } = upload;
  const end = upload.state === 'stored' ? expiryTime(deps.rules().retention, upload) : upload.deadline;
  const base = config.download_url ?? config.public_url;
  return {
    id,
    state: stateOf(deps, upload),
    owner,
    name,
    size,
    type,
    purpose: upload.purpose || null,
    endpoint: endpoint,
    created: iso(upload.createdAt),
    stored: upload.storedAt === null ? null : iso(upload.storedAt),
    expires: end === null ? null : iso(end),
    removed: null,
    reason: null,
    // Only the hash of another server's link is kept.
    link: base === null || upload.locator !== id ? null : fileUrl(deps, base, upload),
  };
}

function stateOf(deps: UploadServices, upload: Upload): State {
  const now = deps.clock();
  if (upload.state === 'stored')
    return isDownloadable(deps.rules().retention, upload, now) ? 'uploaded' : 'expired';
  return upload.state === 'receiving' || now < upload.deadline ? 'pending' : 'expired';
}

function removalRow(removal: Removal): Row {
  const { id, owner, name, size, endpoint, reason } = removal;
  return {
    id,
    state: 'expired',
    owner,
    name,
    size,
    type: null,
    purpose: null,
    endpoint: endpoint,
    created: iso(removal.createdAt),
    stored: null,
    expires: null,
    removed: iso(removal.removedAt),
    reason,
    link: null,
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

export function parseJidOption(text: string): string {
  const jid = parseBareJid(text);
  if (jid === undefined) throw new InvalidArgumentError('Give a JID such as romeo@example.org.');
  return jid;
}
