/** Starts a component on the port that is its argument, stops it after a moment, and has to end by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { allowAllRule } from '../../../src/policy/access.ts';
import { startComponents } from '../../../src/xmpp/component/components.ts';
import { createGrantingServices, uploadRules } from '../../support/granting-services.ts';
import { JID, SECRET } from '../../support/test-component.ts';

const { deps } = createGrantingServices(uploadRules([allowAllRule]));
const server = { host: '127.0.0.1', port: Number(process.argv[2]) };
const endpoint = startComponents(
  { ...deps, publicUrl: 'https://x.example', downloadUrl: 'https://x.example' },
  [{ jid: JID, secret: SECRET, server, name: 'HTTP File Upload' }],
);
await sleep(200);
await endpoint.stop();
// A process that is kept alive by something ends by this, with another code.
setTimeout(() => process.exit(1), 1500).unref();
