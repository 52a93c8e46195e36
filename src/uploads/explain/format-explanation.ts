import { formatMoment } from '../../base/clock.ts';
import { formatCount, formatPeriod, formatSize } from '../../base/units.ts';
import type { Removal, Upload } from '../../base/upload-records.ts';
import type { QuarantinedFile } from '../../ledger/contract/ledger.ts';
import { describeLimit, describeRule } from './describe-limit.ts';
import type { Explanation, TargetKind } from './explain.ts';
import type { OwnerExplanation, RefusalRecord, UnusedSlot } from './explain-owner.ts';

const UNKNOWN_TEXTS: Readonly<Record<TargetKind, (target: string) => string>> = {
  link: (link) =>
    `There is no record of the link ${link}. Check that it is a link of this server, and that it is complete. porter uploads --jid lists the links of a user.`,
  id: (id) => `There is no upload with the id ${id}, and no record of one. porter uploads lists all ids.`,
  domain: (domain) =>
    `${domain} is a domain, and no file was uploaded under it. Name an account: porter why romeo@${domain}`,
  other: (text) =>
    `"${text}" is neither a link, nor the id of an upload, nor a JID such as romeo@example.org.`,
};

/** Returns a sentence for the admin about a target without any record. */
export function describeUnknownTarget(looksLike: TargetKind, target: string): string {
  return UNKNOWN_TEXTS[looksLike](target);
}

/** Returns the lines of `porter why`. `configLines`: lines of the config by key path. File names are as their users gave them. */
export function formatExplanation(
  explanation: Exclude<Explanation, { about: 'unknown' }>,
  now: number,
  configLines: Readonly<Record<string, number>>,
): string[] {
  switch (explanation.about) {
    case 'owner':
      return formatOwner(explanation, now, configLines);
    case 'upload':
      return [...formatUpload(explanation, now), ...formatRefusals(explanation.refusals, now)];
    case 'quarantine':
      return formatInfected(explanation.file, now);
    case 'removal':
      return [...formatRemoval(explanation.removal, now), ...formatRefusals(explanation.refusals, now)];
  }
}

function formatOwner(
  explanation: OwnerExplanation,
  now: number,
  configLines: Readonly<Record<string, number>>,
): string[] {
  const { usage, limits, decision } = explanation;
  const slots = `${formatCount(usage.pendingUploads, 'pending slot')} of ${formatSize(usage.pendingBytes)}`;
  return [
    formatAnswer(explanation, now, configLines),
    ...(decision.allowed ? describeRule(decision.rule).map((line) => `  ${line}`) : []),
    ...limits.map((limit) => `  ${describeLimit(limit, now)}`),
    `Usage: ${formatCount(usage.uploads, 'file')}, ${formatSize(usage.bytes)}, and ${slots}.`,
    ...formatUnusedSlots(explanation.unusedSlots, now),
    ...formatRefusals(explanation.refusals, now),
  ];
}

/** The first line says whether an upload would succeed now. */
function formatAnswer(
  { owner, decision, refusedNow }: OwnerExplanation,
  now: number,
  configLines: Readonly<Record<string, number>>,
): string {
  if (decision.index === null) return `${owner} may not upload: no access rule matches.`;
  const line = configLines[`access[${decision.index}]`];
  const rule = `access rule ${decision.index + 1}${line === undefined ? '' : ` (line ${line})`}`;
  switch (refusedNow?.reason) {
    case undefined:
      return `${owner} may upload: ${rule} applies.`;
    case 'denied':
      return `${owner} may not upload: ${rule} denies it.`;
    case 'moving':
      return `${owner} cannot upload now: porter move is moving the files, or has moved them. ${capitalized(rule)} allows uploads.`;
    case 'storage_full':
      return `${owner} cannot upload now: ${refusedNow.text} ${capitalized(rule)} allows uploads.`;
    case 'limit':
      return `${owner} cannot upload now: ${describeLimit(refusedNow.limit, now)}. ${capitalized(rule)} allows uploads.`;
  }
}

function formatUnusedSlots(slots: readonly UnusedSlot[], now: number): string[] {
  if (slots.length === 0) return [];
  return [
    'Slots of the last day without a file:',
    ...slots.map((slot) => `  ${formatUnusedSlot(slot, now)}`),
  ];
}

function formatUnusedSlot({ name, size, grantedAt, isOpen, hadPut, id }: UnusedSlot, now: number): string {
  const put = hadPut
    ? 'a PUT came, but none was complete'
    : isOpen
      ? 'no PUT has come yet'
      : 'no PUT ever came';
  return `"${name}", ${formatSize(size)}, granted ${formatMoment(grantedAt, now)}: ${put} (${id})`;
}

function formatRefusals(refusals: readonly RefusalRecord[], now: number): string[] {
  if (refusals.length === 0) return [];
  return ['Refused in the last day:', ...refusals.map((refusal) => `  ${formatRefusal(refusal, now)}`)];
}

function formatRefusal(refusal: RefusalRecord, now: number): string {
  const { endpoint, code, times, lastAt, text, name, size, uploadId } = refusal;
  const kind = uploadId === '' ? 'slot' : 'PUT';
  const file = name === '' ? '' : ` of "${name}"${size === null ? '' : `, ${formatSize(size)}`}`;
  const repeated = times > 1 ? `, ${times} times` : '';
  return `${capitalized(formatMoment(lastAt, now))}${repeated}: ${kind}${file} at ${endpoint}, ${code}: ${text}`;
}

const capitalized = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function formatInfected(file: QuarantinedFile, now: number): string[] {
  const { id, name, owner, size, type, signature, foundAt, purgeAt, blob } = file;
  return [
    `"${name}" of ${owner}, ${formatSize(size)}, ${type}`,
    `It was refused ${formatMoment(foundAt, now)}: the virus scanner has found ${signature} in it.`,
    blob === null
      ? 'Its bytes were not kept.'
      : `It is in the quarantine until ${formatMoment(purgeAt, now)}. If the scanner is wrong: porter quarantine --release ${id}`,
  ];
}

const NOT_SCANNED = {
  clean: [],
  unavailable: ['It was not scanned for malware: the virus scanner did not answer.'],
  too_large: ['It was not scanned for malware: it is too large for the virus scanner.'],
} as const;

function formatUpload({ upload, endsAt }: Extract<Explanation, { about: 'upload' }>, now: number): string[] {
  const title = `"${upload.name}" of ${upload.owner}, ${formatSize(upload.size)}, ${upload.type}`;
  const granted = formatMoment(upload.createdAt, now);
  if (upload.state === 'receiving') {
    return [title, `The slot was granted ${granted}.`, 'The file is being uploaded now.'];
  }
  if (upload.state === 'issued') return [title, ...formatSlot(upload, now)];
  const stored = `It was stored ${formatMoment(upload.storedAt ?? upload.createdAt, now)}.`;
  const scan = upload.scan === undefined ? [] : NOT_SCANNED[upload.scan];
  if (endsAt === null) return [title, stored, ...scan, 'It never expires.'];
  const end = formatMoment(endsAt, now);
  return [
    title,
    stored,
    ...scan,
    endsAt > now ? `It expires ${end}.` : `It expired ${end}; the next sweep removes it.`,
  ];
}

function formatSlot({ createdAt, deadline, lastPutAt }: Upload, now: number): string[] {
  const isOpen = now < deadline;
  const granted = `Slot granted ${formatMoment(createdAt, now)}`;
  const attempt =
    lastPutAt === undefined
      ? `no PUT ${isOpen ? 'has come yet' : 'ever came'}`
      : `a PUT came${lastPutAt === 0 ? '' : ` ${formatMoment(lastPutAt, now)}`}, but none was complete`;
  const end = isOpen
    ? `The slot is valid for another ${formatPeriod(deadline - now)}.`
    : `The slot expired ${formatMoment(deadline, now)}.`;
  return [`${granted}, ${attempt}.`, end, ...(lastPutAt === undefined && !isOpen ? [NO_PUT_HINT] : [])];
}

const NO_PUT_HINT =
  'The client, or a server that uploads for it, could not reach the upload link. porter doctor tests the link from this machine.';

const REASONS: Record<Exclude<Removal['reason'], 'unused'>, string> = {
  expired: 'It expired',
  soft_quota: 'Its owner exceeded the soft quota',
  evicted: 'It was removed to make space for a newer file of its owner',
  deleted: 'It was deleted',
  forgotten: 'All data of its owner was removed',
  missing: 'Its bytes were missing from the storage',
};

function formatRemoval(removal: Removal, now: number): string[] {
  const { reason, removedAt, createdAt, detail: recorded } = removal;
  const title =
    removal.name === '' ? 'A file' : `"${removal.name}" of ${removal.owner}, ${formatSize(removal.size)}`;
  if (reason === 'unused') {
    const hint = recorded.startsWith('no PUT') ? [NO_PUT_HINT] : [];
    const granted = `Slot granted ${formatMoment(createdAt, now)}, ${recorded}.`;
    return [
      title,
      granted,
      `It was removed ${formatMoment(removedAt, now)}, and its quota was returned.`,
      ...hint,
    ];
  }
  const moment = formatMoment(removedAt, now);
  // For example `deleted by porter delete`.
  if (recorded.startsWith('deleted ')) return [title, `It was ${recorded} ${moment}.`];
  const detail = recorded === '' ? '' : ` (${recorded})`;
  return [title, `${REASONS[reason]}${detail}: removed ${moment}.`];
}
