import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  detectFormat,
  type HookFormatName,
  hookProgram,
} from '../../../../src/messages/hooks/formats/registry.ts';
import type {
  FieldPaths,
  FormatOptions,
  HookMessage,
  WebhookEvent,
} from '../../../../src/messages/hooks/hook-message.ts';

/**
 * The test kit of all hook formats. `samples/` has a folder for each program with
 * - `CASE.json`: a payload as in the documentation of the program, or a text as a JSON string,
 * - `CASE.txt`: the message that Porter sends, with word joiners shown as `·`,
 * - `headers.json`: the headers of the cases that have some.
 */
const SAMPLES = join(import.meta.dirname, 'samples');

export const NO_FIELDS: FieldPaths = { title: null, text: null, link: null, image: null, username: null };

export type Headers = Readonly<Record<string, string>>;

export interface Sample {
  /** The folder, which has the name of a format. */
  readonly format: HookFormatName;
  readonly name: string;
  readonly payload: unknown;
  readonly headers: Headers;
  /** Undefined without a `.txt`. */
  readonly expected: string | undefined;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(SAMPLES, path), 'utf8'));
}

/** Returns the payload of a sample such as `gitlab/push`. */
export function sample(name: string): Record<string, unknown> {
  return readJson(`${name}.json`) as Record<string, unknown>;
}

export function allSamples(): Sample[] {
  return globSync('*/*.json', { cwd: SAMPLES })
    .filter((path) => basename(path) !== 'headers.json')
    .toSorted()
    .map((path) => {
      const format = dirname(path) as HookFormatName;
      const name = basename(path, '.json');
      const headers = existsSync(join(SAMPLES, format, 'headers.json'))
        ? (readJson(join(format, 'headers.json')) as Record<string, Headers>)
        : {};
      const text = join(SAMPLES, format, `${name}.txt`);
      return {
        format,
        name,
        payload: readJson(path),
        headers: headers[name] ?? {},
        expected: existsSync(text) ? readFileSync(text, 'utf8').replace(/\n$/, '') : undefined,
      };
    });
}

export function createEvent(
  payload: unknown,
  headers: Headers = {},
  query: Readonly<Record<string, string>> = {},
): WebhookEvent {
  return { payload, header: (name) => headers[name], query: (name) => query[name] };
}

/** Returns the message for a payload, with word joiners shown as `·`. */
export function renderSample(
  format: HookFormatName,
  payload: unknown,
  { event, headers, ...options }: Partial<FormatOptions> & { event?: string; headers?: Headers } = {},
): HookMessage | undefined {
  const all = { ...(event === undefined ? {} : { 'x-github-event': event }), ...headers };
  const message = hookProgram(format).parse(createEvent(payload, all), {
    resolved: 'show',
    fields: NO_FIELDS,
    ...options,
  });
  return message && { ...message, text: message.text.replaceAll('\u2060', '·') };
}

export function detectSampleFormat(payload: unknown, event?: string): HookFormatName {
  return detectFormat(createEvent(payload, event === undefined ? {} : { 'x-github-event': event }));
}
