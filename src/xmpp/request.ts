import type { Element } from '@xmpp/xml';
import type { UploadDeps } from '../uploads/deps.ts';
import type { Gate } from './gate.ts';

/** What every answer is made from, whichever stream its question came by. */
export interface RouteDeps extends UploadDeps {
  /** What clients show as the name of the service, by the JID of the component. */
  readonly names: ReadonlyMap<string, string>;
  readonly publicUrl: string;
  readonly downloadUrl: string;
  /** Bounds the slot requests in progress; everything else is answered at once. */
  readonly limited: Gate;
}

export interface IqRequest {
  /** The one child of the iq: what is asked. */
  readonly element: Element;
  /** Full JID of the person or thing that asks, as the server vouches for it. */
  readonly from: string;
  /** Of the component that is asked. */
  readonly name: string;
}
