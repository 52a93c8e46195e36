import { startEjabberd } from '../peers/ejabberd.ts';
import { testUploads } from './uploads-suite.ts';

testUploads('ejabberd', startEjabberd);
