import type { Element } from '@xmpp/xml';
import { formatTimestamp } from '../../base/clock.ts';
import { formatCount, formatSize } from '../../base/units.ts';
import type { Upload } from '../../base/upload-records.ts';
import { expiryTime } from '../../policy/retention.ts';
import { createFormTable, type FormField } from '../../stanza/data-form.ts';
import { linkOfUpload } from '../../uploads/links.ts';
import { readFilePage, readUsage } from '../../uploads/list.ts';
import { type AdHocContext, type AdHocReply, completed } from './ad-hoc-command.ts';

/** Files on one page. Answers must stay below the stanza limits of all servers. */
export const FILES_PER_PAGE = 20;

/** A page of the files of an account, and how it was reached. */
export interface FilePosition {
  readonly owner: string;
  /** The last file of each page before this one. */
  readonly before: readonly string[];
}

/** Lists the files of an account, page by page. */
export async function showFiles(context: AdHocContext, { owner, before }: FilePosition): Promise<AdHocReply> {
  const { services, requester } = context;
  const usage = await readUsage(services, owner);
  const { files, next } = await readFilePage(services, {
    owner,
    after: before.at(-1),
    limit: FILES_PER_PAGE,
  });
  const whose = owner === requester ? 'You have' : `${owner} has`;
  const summary = `${whose} ${formatCount(usage.uploads, 'file')}, ${formatSize(usage.bytes)}.`;
  if (files.length === 0 && before.length === 0) return completed(`${whose} no files.`);
  const page = {
    text: {
      title: owner === requester ? 'My files' : `Files of ${owner}`,
      instructions: describePage(summary, before, files),
    },
    fields: files.map((file): FormField => ({ type: 'fixed', values: [describeFile(context, file)] })),
    table: fileTable(context, files),
  };
  if (next === undefined && before.length === 0) {
    return { status: 'completed', notes: [{ type: 'info', text: summary }], form: page, table: page.table };
  }
  return {
    status: 'executing',
    ...page,
    actions: {
      ...(before.length > 0 && { prev: (now) => showFiles(now, { owner, before: before.slice(0, -1) }) }),
      ...(next !== undefined && { next: (now) => showFiles(now, { owner, before: [...before, next] }) }),
      complete: async () => completed(summary),
    },
    execute: next === undefined ? 'complete' : 'next',
  };
}

function describePage(summary: string, before: readonly string[], files: readonly Upload[]): string {
  const first = before.length * FILES_PER_PAGE + 1;
  const last = first + files.length - 1;
  return `${summary} The latest come first. These are ${first} to ${last}.`;
}

/** For example `photo.jpg, 1.2 MiB, 2026-11-30 10:50, until 2026-12-30 10:50: https://…`. */
function describeFile({ services, downloadUrlFor }: AdHocContext, file: Upload): string {
  const link = linkOfUpload(services, downloadUrlFor(file.owner), file);
  const end = expiryTime(services.rules().retention, file);
  const until = end === null ? '' : `, until ${formatTimestamp(end)}`;
  return `${titleOfFile(file)}${until}${link === undefined ? '' : `: ${link}`}`;
}

/** For example `photo.jpg, 1.2 MiB, 2026-11-30 10:50`. */
export function titleOfFile({ name, size, storedAt, createdAt }: Upload): string {
  return `${name}, ${formatSize(size)}, ${formatTimestamp(storedAt ?? createdAt)}`;
}

const COLUMNS = [
  { name: 'name', label: 'Name' },
  { name: 'size', label: 'Size' },
  { name: 'type', label: 'Type' },
  { name: 'stored', label: 'Stored' },
  { name: 'expires', label: 'Expires' },
  { name: 'link', label: 'Link' },
  { name: 'id', label: 'Id' },
];

function fileTable({ services, downloadUrlFor }: AdHocContext, files: readonly Upload[]): Element {
  const { retention } = services.rules();
  const rows = files.map((file) => {
    const end = expiryTime(retention, file);
    return {
      name: file.name,
      size: formatSize(file.size),
      type: file.type,
      stored: formatTimestamp(file.storedAt ?? file.createdAt),
      expires: end === null ? 'never' : formatTimestamp(end),
      link: linkOfUpload(services, downloadUrlFor(file.owner), file) ?? '',
      id: file.id,
    };
  });
  return createFormTable(COLUMNS, rows);
}
