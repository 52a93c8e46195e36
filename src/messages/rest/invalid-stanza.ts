import { Refusal } from '../../base/errors.ts';

/** The refusal of a readable stanza that may not be sent. `condition` is the one that Prosody's mod_rest uses. */
export function invalidStanza(condition: string, text: string): Refusal {
  return new Refusal('stanza_unfit', { condition, text });
}
