import { startEjabberd } from '../peers/ejabberd.ts';
import { SECRET, testStreamFailover, UPLOAD } from './stream-failover-suite.ts';

testStreamFailover({
  name: 'ejabberd',
  start: () => startEjabberd({ components: [{ jid: UPLOAD, secret: SECRET }] }),
  // The takeover between instances does not depend on the XMPP server.
  withPostgres: false,
});
