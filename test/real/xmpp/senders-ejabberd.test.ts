import { startEjabberd } from '../peers/ejabberd.ts';
import { testMessageSenders } from './senders-suite.ts';

testMessageSenders({
  name: 'ejabberd',
  rooms: 'rooms.localhost',
  otherMechanisms: ['SCRAM-SHA-512'],
  start({ directPort, disabled = [], ...options }) {
    return startEjabberd({
      ...options,
      listeners: `  - {port: ${directPort}, ip: "127.0.0.1", module: ejabberd_c2s, tls: true}`,
      modules: `  mod_muc: {host: rooms.localhost}\n  mod_stream_mgmt: {}\ndisable_sasl_mechanisms: [${disabled.join(', ')}]`,
    });
  },
});
