import { callbacksThrough } from './callbacks-through.ts';
import { startProsody } from './prosody.ts';

callbacksThrough('prosody', startProsody);
