import { startEjabberd } from '../peers/ejabberd.ts';
import { testRest } from './rest-suite.ts';

const modules = `
  mod_mam: {default: always}
  mod_muc: {host: "conference.localhost"}
  mod_version: {}
`;

testRest('ejabberd', (options) => startEjabberd({ ...options, modules }));
