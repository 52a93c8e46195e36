import { startProsody } from '../peers/prosody.ts';
import { testCallbacks } from './callbacks-suite.ts';

testCallbacks('prosody', startProsody);
