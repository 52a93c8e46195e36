import { startEjabberd } from './ejabberd.ts';
import { messagesThrough } from './messages-through.ts';

const modules = `
  mod_muc: {host: "conference.localhost"}
`;

messagesThrough('ejabberd', (options) => startEjabberd({ ...options, modules }));
