import type { Element } from '@xmpp/xml';
import type { Places } from '../../base/concurrency-limit.ts';
import type { UploadServices } from '../../uploads/services.ts';
import type { AdminRules } from '../commands/ad-hoc-command.ts';
import type { AdHocRequests } from '../commands/ad-hoc-requests.ts';

type UsedUploadServices = Pick<
  UploadServices,
  'ledger' | 'rules' | 'clock' | 'log' | 'metrics' | 'spaceReserve' | 'refusals' | 'blobDeleter'
>;

/** Shared by the iq handlers of all component streams. */
export type IqServices = UsedUploadServices & {
  /** Display name of the service by the JID of the component. */
  readonly serviceNames: ReadonlyMap<string, string>;
  /** Returns the base URLs of an owner's links, without a trailing slash. */
  readonly linkBasesFor: (owner: string) => { readonly putBase: string; readonly getBase: string };
  readonly adminRules: () => AdminRules;
  readonly adHocRequests: AdHocRequests;
  /** Returns whether this bare JID at a component sends messages and accepts none (XEP-0506). */
  readonly isNoReply: (jid: string) => boolean;
  /** Bounds the slot requests in progress. Other requests need no I/O and have no limit. */
  readonly slotPlaces: Places;
};

export interface IqRequest {
  /** The only child element of the iq. */
  readonly payload: Element;
  /** Full JID of the requester, as stamped by the server. */
  readonly from: string;
  /** JID of the component that the iq is addressed to. */
  readonly to: string;
  /** Display name of the component that the iq is addressed to. */
  readonly serviceName: string;
}
