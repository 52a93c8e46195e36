import { startProsody } from '../peers/prosody.ts';
import { COMPONENTS, MANTUA, SECRET, testHostedDomains, VERONA } from './hosted-domains-suite.ts';

testHostedDomains({
  name: 'prosody',
  start() {
    const sections = COMPONENTS.map((jid) => `Component "${jid}"\n  component_secret = "${SECRET}"\n`);
    return startProsody({
      domain: VERONA,
      initSnippet: `VirtualHost "${MANTUA}"\n${sections.join('')}`,
    });
  },
});
