import { OPEN_ROOMS, startProsody } from '../peers/prosody.ts';
import { testRest } from './rest-suite.ts';

const extra = `
VirtualHost "localhost"
  modules_enabled = { "mam", "version" }
${OPEN_ROOMS}`;

testRest('prosody', (options) => startProsody({ ...options, extra }));
