import { OPEN_ROOMS, startProsody } from '../peers/prosody.ts';
import { testMessages } from './messages-suite.ts';

testMessages('prosody', (options) => startProsody({ ...options, extra: OPEN_ROOMS }));
