import type { HookFormat, HookProgram } from '../hook-message.ts';
import { firstNonEmpty, hasFields, lineAt, requirePayloadObject, textAt, timeAt } from '../payload-fields.ts';
import { bold, codeBlock, escapeStyling, joinLines } from '../styling.ts';

const SEVERITIES = ['info', 'notice', 'warning', 'error', 'unknown'];

/** The body that docs/hooks.md gives for the webhook target: its template names `title`, `message` and `severity`. */
const parse: HookFormat = ({ payload }) => {
  const notification = requirePayloadObject(payload, 'Proxmox');
  const severity = lineAt(notification, 'severity');
  const title = firstNonEmpty(
    lineAt(notification, 'title'),
    lineAt(notification, 'fields', 'type'),
    'Proxmox',
  );
  const host = lineAt(notification, 'fields', 'hostname');
  const message = textAt(notification, 'message');
  // Tables of backup reports need a font of fixed width.
  const shown = /\n.*(?: {2}|\t)/.test(message) ? codeBlock(message) : escapeStyling(message);
  return {
    text: joinLines(
      bold(severity === '' ? title : `[${severity.toUpperCase()}] ${title}`),
      title.includes(host) || message.includes(host) ? '' : escapeStyling(`host: ${host}`),
      shown,
      timeAt(notification, 'timestamp'),
    ),
    images: [],
  };
};

/** Notifications of Proxmox VE, Backup Server and Mail Gateway. */
export const proxmox: HookProgram = {
  parse,
  recognizes: ({ payload }) =>
    hasFields(payload, 'title', 'message') && SEVERITIES.includes(lineAt(payload, 'severity')),
};
