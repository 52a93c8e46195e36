import { startEjabberd } from '../peers/ejabberd.ts';
import { testMessages } from './messages-suite.ts';

const modules = `
  mod_muc: {host: "conference.localhost"}
`;

testMessages('ejabberd', (options) => startEjabberd({ ...options, modules }));
