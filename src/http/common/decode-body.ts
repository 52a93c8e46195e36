import { Refusal } from '../../base/errors.ts';

/** The text of a body that says no other charset. Refuses with `bad_request`. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Refusal('bad_request', { text: 'The body is not valid UTF-8.', cause });
  }
}

/** The JSON of a body. Refuses with `bad_request`. */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Refusal('bad_request', { text: 'The body is not valid JSON.', cause });
  }
}
