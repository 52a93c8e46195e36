import { startEjabberd } from '../peers/ejabberd.ts';
import { COMPONENTS, MANTUA, SECRET, testHostedDomains, VERONA } from './hosted-domains-suite.ts';

// Every component is among the items of both domains: a client may ask the component of another domain.
testHostedDomains({
  name: 'ejabberd',
  start: () =>
    startEjabberd({
      domain: VERONA,
      otherDomains: [MANTUA],
      components: COMPONENTS.map((jid) => ({ jid, secret: SECRET })),
    }),
});
