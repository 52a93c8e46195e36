import { startProsody } from '../peers/prosody.ts';
import { testUploads } from './uploads-suite.ts';

testUploads('prosody', startProsody);
