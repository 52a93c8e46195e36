import { messagesThrough } from './messages-through.ts';
import { startProsody } from './prosody.ts';

/** A room is open as soon as somebody is in it. */
const extra = `
Component "conference.localhost" "muc"
  muc_room_locking = false
`;

messagesThrough('prosody', (options) => startProsody({ ...options, extra }));
