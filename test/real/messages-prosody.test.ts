import { messagesThrough } from './messages-through.ts';
import { OPEN_ROOMS, startProsody } from './prosody.ts';

messagesThrough('prosody', (options) => startProsody({ ...options, extra: OPEN_ROOMS }));
