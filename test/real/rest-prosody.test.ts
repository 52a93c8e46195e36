import { OPEN_ROOMS, startProsody } from './prosody.ts';
import { restThrough } from './rest-through.ts';

const extra = `
VirtualHost "localhost"
  modules_enabled = { "mam", "version" }
${OPEN_ROOMS}`;

restThrough('prosody', (options) => startProsody({ ...options, extra }));
