import type { WebToken } from '../ledger/contract/ledger.ts';
import type { UploadServices } from '../uploads/services.ts';
import type { MessageSenders } from './delivery/message-sender.ts';
import type { MessageRules } from './message-rules.ts';
import type { Outbox } from './queue/outbox.ts';

/** Services of the message use cases. `server/` builds them once per process; functions take the part they use. */
export type MessageServices = UploadServices & {
  readonly senders: MessageSenders;
  readonly messageRules: () => MessageRules;
  readonly outbox: Outbox;
  /** Finds a token that a user has made on the web page. Absent without the page. */
  readonly findTokenOfUser?: (token: string) => Promise<WebToken | undefined>;
};
