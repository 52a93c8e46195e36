import { startEjabberd } from './ejabberd.ts';
import { restThrough } from './rest-through.ts';

const modules = `
  mod_mam: {default: always}
  mod_muc: {host: "conference.localhost"}
  mod_version: {}
`;

restThrough('ejabberd', (options) => startEjabberd({ ...options, modules }));
