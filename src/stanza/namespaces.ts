/** XEP-0363; the second one is from before its version 0.3. Clients mix them (docs/protocols.md, "Slot requests"). */
export const UPLOAD = 'urn:xmpp:http:upload:0';
export const LEGACY_UPLOAD = 'urn:xmpp:http:upload';
/** XEP-0363 1.2.0 §7. */
export const PURPOSE = 'urn:xmpp:http:upload:purpose:0';

export const DISCO_INFO = 'http://jabber.org/protocol/disco#info';
export const DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';
/** XEP-0050; also the disco node of the list of commands. */
export const COMMANDS = 'http://jabber.org/protocol/commands';
/** XEP-0004. */
export const DATA_FORM = 'jabber:x:data';
/** The form of XEP-0157. */
export const SERVER_INFO = 'http://jabber.org/network/serverinfo';
/** XEP-0504. */
export const DATA_POLICY = 'urn:xmpp:data-policy:0';
/** XEP-0506. */
export const NO_REPLY = 'urn:xmpp:noreply:0';
export const PING = 'urn:xmpp:ping';
/** XEP-0202. */
export const TIME = 'urn:xmpp:time';
export const VERSION = 'jabber:iq:version';
export const VCARD = 'vcard-temp';
export const STANZA_ERRORS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
/** XEP-0045. */
export const MUC = 'http://jabber.org/protocol/muc';
export const MUC_USER = `${MUC}#user`;
/** XEP-0313. */
export const MAM = 'urn:xmpp:mam:2';
/** XEP-0359: `stanza-id` and `origin-id`. */
export const STANZA_IDS = 'urn:xmpp:sid:0';
