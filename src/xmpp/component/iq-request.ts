import type { Element } from '@xmpp/xml';
import type { ConcurrencyLimit } from '../../base/concurrency-limit.ts';
import type { UploadServices } from '../../uploads/services.ts';

/** What every answer is made from, whichever stream its question came by. */
export interface IqServices extends UploadServices {
  /** What clients show as the name of the service, by the JID of the component. */
  readonly serviceNames: ReadonlyMap<string, string>;
  readonly publicUrl: string;
  readonly downloadUrl: string;
  /** Bounds the slot requests in progress; everything else is answered at once. */
  readonly limitSlotRequests: ConcurrencyLimit;
}

export interface IqRequest {
  /** The one child of the iq: what is asked. */
  readonly payload: Element;
  /** Full JID of the person or thing that asks, as the server vouches for it. */
  readonly from: string;
  /** Of the component that is asked. */
  readonly serviceName: string;
}
