import { startProsody } from '../peers/prosody.ts';
import { SECRET, testStreamFailover, UPLOAD } from './stream-failover-suite.ts';

testStreamFailover({
  name: 'prosody',
  start: () => startProsody({ components: [{ jid: UPLOAD, secret: SECRET }] }),
  withPostgres: true,
});
