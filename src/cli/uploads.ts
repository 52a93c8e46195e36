import { type Command, InvalidArgumentError, Option } from 'commander';
import { bareJid } from '../base/jid.ts';
import type { Door, Removal, RemovalReason, Upload } from '../base/records.ts';
import { formatSize } from '../base/units.ts';
import type { Config } from '../config/load.ts';
import { endOf, isVisible } from '../policy/retention.ts';
import type { UploadDeps } from '../uploads/deps.ts';
import { fileUrl } from '../uploads/links.ts';
import { listRemovals, listUploads } from '../uploads/list.ts';
import { example } from './help.ts';
import { withHouse } from './house.ts';
import { type Column, printRows } from './output.ts';
import type { Shell } from './shell.ts';

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
  readonly door: Door;
  readonly created: string;
  readonly stored: string | null;
  readonly expires: string | null;
  /** Set where it is gone already. */
  readonly removed: string | null;
  readonly reason: RemovalReason | null;
  readonly link: string | null;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'ID', text: (row) => row.id },
  { title: 'STATE', text: (row) => (row.reason === null ? row.state : `${row.state} (${row.reason})`) },
  { title: 'OWNER', text: (row) => row.owner },
  { title: 'SIZE', text: (row) => formatSize(row.size), right: true },
  { title: 'STORED', text: (row) => row.stored ?? '-' },
  { title: 'EXPIRES', text: (row) => row.removed ?? row.expires ?? 'never' },
  { title: 'NAME', text: (row) => row.name },
];

export function addUploads(program: Command, shell: Shell): void {
  program
    .command('uploads')
    .summary('list uploads')
    .description('Lists slots and files: all that are here, or those in one state or of one owner.')
    .option('--jid <jid>', 'only those of this owner', readJid)
    .addOption(
      new Option(
        '--state <state>',
        'pending: waits for its file; expired: past its time, removed or not',
      ).choices(STATES),
    )
    .option('--json', 'print a list of objects')
    .addHelpText(
      'after',
      example('porter uploads --jid romeo@example.org --state uploaded', 'porter uploads --json'),
    )
    .action(async (options: Options, command: Command) => {
      await withHouse(shell, command, async (deps, config) => {
        await printRows(shell, rows(deps, config, options), COLUMNS, {
          json: options.json,
          none: 'There are no such uploads.',
        });
      });
    });
}

async function* rows(deps: UploadDeps, config: Config, { jid, state }: Options): AsyncGenerator<Row> {
  const owner = jid === undefined ? {} : { owner: jid };
  for await (const upload of listUploads(deps, owner)) {
    const row = uploadRow(deps, config, upload);
    if (state === undefined || row.state === state) yield row;
  }
  if (state !== 'expired') return;
  for await (const removal of listRemovals(deps, owner)) {
    if (removal.reason === 'expired' || removal.reason === 'unused') yield removalRow(removal);
  }
}

function uploadRow(deps: UploadDeps, config: Config, upload: Upload): Row {
  const { id, owner, name, size, type, door } = upload;
  const end = upload.state === 'stored' ? endOf(deps.rules().retention, upload) : upload.deadline;
  const base = config.download_url ?? config.public_url;
  return {
    id,
    state: stateOf(deps, upload),
    owner,
    name,
    size,
    type,
    purpose: upload.purpose || null,
    door,
    created: iso(upload.createdAt),
    stored: upload.storedAt === null ? null : iso(upload.storedAt),
    expires: end === null ? null : iso(end),
    removed: null,
    reason: null,
    // Only the hash of another server's link is kept.
    link: base === null || upload.locator !== id ? null : fileUrl(deps, base, upload),
  };
}

function stateOf(deps: UploadDeps, upload: Upload): State {
  const now = deps.clock();
  if (upload.state === 'stored')
    return isVisible(deps.rules().retention, upload, now) ? 'uploaded' : 'expired';
  return upload.state === 'receiving' || now < upload.deadline ? 'pending' : 'expired';
}

function removalRow(removal: Removal): Row {
  const { id, owner, name, size, door, reason } = removal;
  return {
    id,
    state: 'expired',
    owner,
    name,
    size,
    type: null,
    purpose: null,
    door,
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

export function readJid(text: string): string {
  const jid = bareJid(text);
  if (jid === undefined) throw new InvalidArgumentError('Give a JID such as romeo@example.org.');
  return jid;
}
