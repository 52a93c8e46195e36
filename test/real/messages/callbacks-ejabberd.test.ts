import { startEjabberd } from '../peers/ejabberd.ts';
import { testCallbacks } from './callbacks-suite.ts';

testCallbacks('ejabberd', startEjabberd);
