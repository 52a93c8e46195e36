import { type Command, Option } from 'commander';
import { formatLength, formatTimestamp } from '../../base/clock.ts';
import { formatSize } from '../../base/units.ts';
import type { Endpoint, Removal, RemovalReason, Upload } from '../../base/upload-records.ts';
import type { Config } from '../../config/load.ts';
import { expiryTime, isDownloadable } from '../../policy/retention.ts';
import { createLinkFormatter } from '../../server/file-links.ts';
import { iterateRemovals, iterateUploads, resolveOwner } from '../../uploads/list.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { CommandContext } from '../lib/command-context.ts';
import { formatExamples } from '../lib/help.ts';
import { parseCountOption, parseJidOption, parsePeriodOption, parseSizeOption } from '../lib/options.ts';
import { printRows, type TableColumn } from '../lib/output.ts';
import { withRuntime } from '../lib/with-runtime.ts';

const STATES = ['pending', 'uploaded', 'expired'] as const;
type State = (typeof STATES)[number];

const SORT_KEYS = ['size', 'newest'] as const;

interface Options {
  /** Milliseconds. */
  readonly since?: number;
  /** Bytes. */
  readonly larger?: number;
  readonly type?: string;
  readonly sort?: (typeof SORT_KEYS)[number];
  readonly limit?: number;
  readonly jid?: string;
  readonly state?: State;
  readonly json?: boolean;
}

/** One upload or removal. Times are ISO 8601; null means never or not yet. Sizes are in bytes. */
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
  /** Null if the upload still exists. */
  readonly removed: string | null;
  readonly reason: RemovalReason | null;
  readonly link: string | null;
}

/** The last column can be copied to `porter why` and `porter delete`, which accept links and ids. */
const columnsAt = (now: number): readonly TableColumn<Row>[] => [
  { title: 'STATE', text: (row) => (row.reason === null ? row.state : `${row.state} (${row.reason})`) },
  { title: 'OWNER', text: (row) => row.owner },
  { title: 'SIZE', text: (row) => formatSize(row.size), right: true },
  { title: 'AGE', text: (row) => formatLength(now - Date.parse(row.stored ?? row.created)), right: true },
  { title: 'EXPIRES (UTC)', text: formatEnd },
  { title: 'NAME', text: (row) => row.name },
  { title: 'LINK OR ID', text: (row) => row.link ?? row.id },
];

function formatEnd({ removed, expires }: Row): string {
  const end = removed ?? expires;
  return end === null ? 'never' : formatTimestamp(Date.parse(end));
}

export function addUploads(program: Command, context: CommandContext): void {
  program
    .command('uploads')
    .summary('list uploads')
    .description(
      'Lists slots and files, optionally only those in one state or of one user. Files whose links the XMPP server signs ' +
        'have an id instead of a link.',
    )
    .option('--jid <jid>', 'only uploads of this user', parseJidOption)
    .addOption(
      new Option(
        '--state <state>',
        'pending: slot without a file yet; expired: expired slot or file, removed or not',
      ).choices(STATES),
    )
    .option('--since <period>', 'only uploads created within this time, such as 7d', parsePeriodOption)
    .option('--larger <size>', 'only files above this size, such as 100M', parseSizeOption)
    .option('--type <type>', 'only files whose media type begins with this, such as video/')
    .addOption(
      new Option('--sort <key>', 'largest or newest first; by default the oldest first').choices(SORT_KEYS),
    )
    .option('--limit <number>', 'at most this many lines', parseCountOption)
    .option('--json', 'print a list of objects')
    .addHelpText(
      'after',
      formatExamples(
        'porter uploads --jid romeo@example.org --state uploaded',
        'porter uploads --since 7d --larger 100M --sort size --limit 20',
        'porter uploads --json',
      ),
    )
    .action(async (options: Options, command: Command) => {
      await withRuntime(context, command, async (services, config) => {
        const rows = limitRows(
          filterRows(readRows(services, config, options), options, services.clock()),
          options,
        );
        await printRows(context, rows, columnsAt(services.clock()), {
          json: options.json,
          emptyText: 'No uploads found.',
        });
      });
    });
}

async function* filterRows(
  rows: AsyncIterable<Row>,
  { since, larger, type }: Options,
  now: number,
): AsyncGenerator<Row> {
  for await (const row of rows) {
    if (since !== undefined && Date.parse(row.created) < now - since) continue;
    if (larger !== undefined && row.size <= larger) continue;
    if (type !== undefined && !(row.type ?? '').startsWith(type.toLowerCase())) continue;
    yield row;
  }
}

/** Sorts the rows and returns the first ones. Sorting holds all filtered rows in memory. */
async function* limitRows(rows: AsyncIterable<Row>, { sort, limit }: Options): AsyncGenerator<Row> {
  const ordered = sort === undefined ? rows : sortRows(await Array.fromAsync(rows), sort);
  let left = limit ?? Number.POSITIVE_INFINITY;
  for await (const row of ordered) {
    if (left === 0) return;
    left -= 1;
    yield row;
  }
}

function sortRows(rows: Row[], key: (typeof SORT_KEYS)[number]): Row[] {
  return rows.sort((a, b) => (key === 'size' ? b.size - a.size : b.created.localeCompare(a.created)));
}

async function* readRows(
  services: UploadServices,
  config: Config,
  { jid, state }: Options,
): AsyncGenerator<Row> {
  const filter = jid === undefined ? {} : { owner: await resolveOwner(services, jid) };
  const linkOf = createLinkFormatter(services, config);
  for await (const upload of iterateUploads(services, filter)) {
    const row = toUploadRow(services, upload, linkOf(upload));
    if (state === undefined || row.state === state) yield row;
  }
  if (state !== 'expired') return;
  for await (const removal of iterateRemovals(services, filter)) {
    if (removal.reason === 'expired' || removal.reason === 'unused') yield toRemovalRow(removal);
  }
}

function toUploadRow(services: UploadServices, upload: Upload, link: string | null): Row {
  const { id, owner, name, size, type, endpoint } = upload;
  const end = upload.state === 'stored' ? expiryTime(services.rules().retention, upload) : upload.deadline;
  return {
    id,
    state: getState(services, upload),
    owner,
    name,
    size,
    type,
    purpose: upload.purpose || null,
    endpoint,
    created: formatTime(upload.createdAt),
    stored: upload.storedAt === null ? null : formatTime(upload.storedAt),
    expires: end === null ? null : formatTime(end),
    removed: null,
    reason: null,
    link,
  };
}

function getState(services: UploadServices, upload: Upload): State {
  const now = services.clock();
  if (upload.state === 'stored')
    return isDownloadable(services.rules().retention, upload, now) ? 'uploaded' : 'expired';
  return upload.state === 'receiving' || now < upload.deadline ? 'pending' : 'expired';
}

function toRemovalRow(removal: Removal): Row {
  const { id, owner, name, size, endpoint, reason } = removal;
  return {
    id,
    state: 'expired',
    owner,
    name,
    size,
    type: null,
    purpose: null,
    endpoint,
    created: formatTime(removal.createdAt),
    stored: null,
    expires: null,
    removed: formatTime(removal.removedAt),
    reason,
    link: null,
  };
}

function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}
