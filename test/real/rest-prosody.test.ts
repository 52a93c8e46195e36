import { startProsody } from './prosody.ts';
import { restThrough } from './rest-through.ts';

/** A room is open as soon as somebody is in it. */
const extra = `
VirtualHost "localhost"
  modules_enabled = { "mam", "version" }
Component "conference.localhost" "muc"
  muc_room_locking = false
`;

restThrough('prosody', (options) => startProsody({ ...options, extra }));
