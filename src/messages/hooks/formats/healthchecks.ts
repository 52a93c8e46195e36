import type { HookFormat, HookProgram } from '../hook-message.ts';
import {
  firstNonEmpty,
  hasFields,
  lineAt,
  linkAt,
  requirePayloadObject,
  textAt,
  timeAt,
  truncate,
  valueAt,
} from '../payload-fields.ts';
import { bold, escapeStyling, joinLines, quote } from '../styling.ts';

const MAX_BODY = 600;
/** Statuses in the words of Healthchecks' own messages. */
const SENTENCES: Readonly<Record<string, string>> = {
  down: 'is DOWN',
  up: 'is UP again',
  grace: 'is late',
  new: 'is new',
  paused: 'is paused',
};

/** Users write the body themselves: `$JSON` alone, `$JSON` nested as `check`, or the placeholders under their own names. */
const parse: HookFormat = ({ payload }, { resolved }) => {
  const call = requirePayloadObject(payload, 'Healthchecks');
  const nested = valueAt(call, 'check');
  const check = nested instanceof Object ? nested : call;
  const status = firstNonEmpty(lineAt(check, 'status'), lineAt(call, 'status')).toLowerCase();
  if (resolved === 'hide' && status === 'up') return undefined;
  const name = firstNonEmpty(lineAt(check, 'name'), lineAt(check, 'slug'), lineAt(call, 'name'), 'A check');
  const tags = firstNonEmpty(lineAt(check, 'tags'), lineAt(call, 'tags'));
  const body = truncate(textAt(call, 'body'), MAX_BODY);
  const sentence = Object.hasOwn(SENTENCES, status) ? SENTENCES[status] : `has the status ${status}`;
  const lastPing = timeAt(check, 'last_ping');
  return {
    text: joinLines(
      status === '' ? bold(name) : `${bold(name)} ${escapeStyling(sentence ?? '')}`,
      escapeStyling(textAt(check, 'desc')),
      tags === '' ? '' : escapeStyling(`tags: ${tags}`),
      lastPing === '' ? '' : `last ping: ${lastPing}`,
      body === '' ? '' : quote(body),
      linkAt(call, 'url'),
    ),
    images: [],
  };
};

/** Webhooks of Healthchecks, hosted or not. */
export const healthchecks: HookProgram = {
  parse,
  recognizes: ({ payload }) =>
    [payload, valueAt(payload, 'check')].some(
      (check) =>
        hasFields(check, 'name', 'status') && (hasFields(check, 'n_pings') || hasFields(check, 'last_ping')),
    ),
};
