/** Connects a component to the port in its argument and stops it. Exits with 1 if anything keeps the process alive. */
import { setTimeout as sleep } from 'node:timers/promises';
import { allowAllRule } from '../../../src/policy/access.ts';
import { startComponents } from '../../../src/xmpp/component/components.ts';
import { createGrantingServices, uploadRules } from '../../support/granting-services.ts';
import { JID, SECRET } from '../../support/test-component.ts';

const { deps } = createGrantingServices(uploadRules([allowAllRule]));
const server = { host: '127.0.0.1', port: Number(process.argv[2]) };
const components = startComponents(deps, [
  {
    jid: JID,
    secret: SECRET,
    server,
    name: 'HTTP File Upload',
    linkBasesFor: () => ({ putBase: 'https://x.example', getBase: 'https://x.example' }),
  },
]);
await sleep(200);
await components.stop();
// Runs only if something else keeps the process alive, because the timer is unreferenced.
setTimeout(() => process.exit(1), 1500).unref();
