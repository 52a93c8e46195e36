import type { Element } from '@xmpp/xml';

/**
 * Handles stanzas to a component that no route of Porter handles: messages and presence of every type, and iqs of type
 * get or set. Called in the order of arrival. A handler that returns true for an iq sends the answer itself. If it
 * returns false, the sender gets an error. A thrown `Refusal` becomes the error that is sent back.
 */
export type StanzaHandler = (stanza: Element) => boolean | Promise<boolean>;
