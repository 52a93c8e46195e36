import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  detectFormat,
  type HookFormatName,
  hookFormats,
} from '../../../../src/messages/hooks/formats/registry.ts';
import type { FieldPaths, FormatOptions, HookMessage } from '../../../../src/messages/hooks/hook-message.ts';

export const NO_FIELDS: FieldPaths = { title: null, text: null, link: null, image: null, username: null };

/** A payload from the documentation of the sending program. */
export function sample(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'samples', `${name}.json`), 'utf8'));
}

/** Returns the message for a payload, with word joiners shown as `·`. */
export function renderSample(
  format: HookFormatName,
  payload: unknown,
  { event: eventName, ...options }: Partial<FormatOptions> & { event?: string } = {},
): HookMessage | undefined {
  const message = hookFormats[format](
    { payload, eventName },
    { resolved: 'show', fields: NO_FIELDS, ...options },
  );
  return message && { ...message, text: message.text.replaceAll('\u2060', '·') };
}

export function detectSampleFormat(payload: unknown, eventName?: string): HookFormatName {
  return detectFormat({ payload, eventName });
}
