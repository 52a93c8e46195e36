import xml, { type Element } from '@xmpp/xml';
import { mechanismNames, offersMechanism, readBindingTypes, type SaslProfile } from './sasl.ts';
import { enableElement, hasAcks, hasEnabledAcks } from './stream-management.ts';

/** XEP-0388. */
const SASL2 = 'urn:xmpp:sasl:2';
/** XEP-0386. */
const BIND2 = 'urn:xmpp:bind:0';

/** The name of the program, which servers put into the resource that they generate. */
const SOFTWARE = 'Porter';

/** SASL2, which needs neither a restart of the stream nor a request for a resource afterwards: two round trips less. */
export interface Sasl2Offer {
  /** Whether the login can bind a resource that the server generates. */
  readonly hasBind: boolean;
  createProfile(options: { readonly bind: boolean }): SaslProfile;
}

/** Returns undefined if the server does not offer SASL2 with a mechanism that Porter supports. */
export function readSasl2Offer(features: Element): Sasl2Offer | undefined {
  const authentication = features.getChild('authentication', SASL2);
  const offer = { mechanisms: mechanismNames(authentication), bindingTypes: readBindingTypes(features) };
  if (authentication === undefined || !offersMechanism(offer)) return undefined;
  const bind2 = authentication.getChild('inline')?.getChild('bind', BIND2);
  const enable = hasAcks(bind2?.getChild('inline')) ? [enableElement()] : [];
  return {
    hasBind: bind2 !== undefined,
    createProfile: ({ bind }) => ({
      namespace: SASL2,
      readOffer: () => offer,
      createStart: (mechanism, text) =>
        xml(
          'authenticate',
          { xmlns: SASL2, mechanism },
          xml('initial-response', {}, text),
          // Without an id: a server replaces an older session that has the same one.
          xml('user-agent', {}, xml('software', {}, SOFTWARE)),
          ...(bind ? [xml('bind', BIND2, xml('tag', {}, SOFTWARE), ...enable)] : []),
        ),
      readFinalText: (success) => success.getChild('additional-data')?.getText() ?? '',
    }),
  };
}

/** The resource that a login has bound. */
export interface BoundResource {
  /** Full JID. */
  readonly jid: string;
  readonly hasAcks: boolean;
}

/** Returns undefined if the server has bound no resource with the login. */
export function readBoundResource(success: Element): BoundResource | undefined {
  const bound = success.getChild('bound', BIND2);
  const jid = success.getChild('authorization-identifier')?.getText();
  return bound && jid !== undefined ? { jid, hasAcks: hasEnabledAcks(bound) } : undefined;
}
