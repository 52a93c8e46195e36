import type { Element } from '@xmpp/xml';

/**
 * Takes stanzas to our components that nothing of Porter has a use for: messages and presence of every type, and
 * iqs of type get or set that no route knows. Called in the order in which they came. False = not taken: a message
 * is then answered that nobody reads, an iq that it is not understood. Who takes an iq answers it. A `Refusal`
 * becomes the error that goes back.
 */
export type StanzaHandler = (stanza: Element) => boolean | Promise<boolean>;
