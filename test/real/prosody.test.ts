import { startProsody } from './prosody.ts';
import { uploadsThrough } from './uploads-through.ts';

uploadsThrough('prosody', startProsody);
