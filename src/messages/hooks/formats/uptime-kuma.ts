import type { HookFormat, HookProgram } from '../hook-message.ts';
import {
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  requirePayloadObject,
  textAt,
  timeAt,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines } from '../styling.ts';

/** `status` of a heartbeat: 0 down, 1 up, 2 pending, 3 maintenance. */
const UP = 1;

/** `msg` is the whole message in the configured language; tests contain nothing else. */
const parse: HookFormat = ({ payload }, { resolved }) => {
  const call = requirePayloadObject(payload, 'Uptime Kuma');
  if (resolved === 'hide' && valueAt(call, 'heartbeat', 'status') === UP) return undefined;
  const message = textAt(call, 'msg');
  const name = lineAt(call, 'monitor', 'name');
  return {
    text: joinLines(
      name === '' ? escapeStyling(message) : boldName(message, name),
      escapeStyling(formatAddress(valueAt(call, 'monitor'), message)),
      escapeStyling(formatTime(valueAt(call, 'heartbeat'))),
    ),
    images: [],
  };
};

/** Uptime Kuma's webhook. */
export const uptimeKuma: HookProgram = {
  parse,
  recognizes: ({ payload }) => hasFields(payload, 'heartbeat', 'monitor', 'msg'),
};

/** `[name] [🔴 Down] why`, its name in bold. */
function boldName(message: string, name: string): string {
  const prefix = `[${name}]`;
  const rest = message.startsWith(prefix) ? message.slice(prefix.length) : ` ${message}`;
  return `${bold(prefix)}${escapeStyling(rest)}`;
}

/** The monitored address. A monitor without a URL has the URL `https://`, which is ignored. */
function formatAddress(monitor: unknown, message: string): string {
  const host = lineAt(monitor, 'hostname');
  const port = lineAt(monitor, 'port');
  const address = firstNonEmpty(
    linkAt(monitor, 'url'),
    host === '' || port === '' ? host : `${host}:${port}`,
  );
  return message.includes(address) ? '' : address;
}

/** `time` is in UTC; `localDateTime` comes with its time zone. */
function formatTime(heartbeat: unknown): string {
  const local = lineAt(heartbeat, 'localDateTime');
  if (local !== '') return `${local} ${lineAt(heartbeat, 'timezone')}`.trim();
  const time = lineAt(heartbeat, 'time');
  return timeAt({ time: `${time.replace(' ', 'T').replace(/Z?$/, 'Z')}` }, 'time');
}
