import { startProsody } from '../peers/prosody.ts';
import { testMessageSenders } from './senders-suite.ts';

testMessageSenders({
  name: 'prosody',
  rooms: 'rooms.localhost',
  start({ directPort, disabled = [], ...options }) {
    const list = disabled.map((mechanism) => `"${mechanism}"`).join(', ');
    const { cert = '', key = '' } = options.tls ?? {};
    return startProsody({
      ...options,
      global: `
modules_enabled = { "disco", "roster", "saslauth", "tls", "ping", "carbons", "smacks" }
c2s_direct_tls_ports = { ${directPort} }
c2s_direct_tls_ssl = { certificate = "${cert}", key = "${key}" }
disable_sasl_mechanisms = { ${list} }
`,
      extra: 'Component "rooms.localhost" "muc"',
    });
  },
});
