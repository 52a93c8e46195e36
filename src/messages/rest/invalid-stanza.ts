import { Refusal } from '../../base/errors.ts';

/** A stanza that is readable but not to be sent; `condition` as mod_rest has it for this fault. */
export function invalidStanza(condition: string, text: string): Refusal {
  return new Refusal('stanza_unfit', { condition, text });
}
