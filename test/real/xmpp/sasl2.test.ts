import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import xml from '@xmpp/xml';
import { pino } from 'pino';
import { type AccountSenders, createAccountSenders } from '../../../src/xmpp/client/account-senders.ts';
import { logIn } from '../../../src/xmpp/client/login.ts';
import { createSystemDnsResolver } from '../../../src/xmpp/client/server-addresses.ts';
import { accountSettings } from '../../support/account-settings.ts';
import { needs } from '../peers/peers.ts';
import { type Prosody, startProsody } from '../peers/prosody.ts';
import { XMPP_ROOT } from '../peers/xmpp-root.ts';
import { createXmppTestbed, PASSWORD, type XmppTestbed } from '../support/xmpp-testbed.ts';

const MODULES = '/usr/lib/prosody/modules';
/** The modules of Debian 12 cannot turn on acks with the login: mod_sasl2_sm calls a function that its mod_smacks does not have. */
const ACKS = XMPP_ROOT === '' ? '' : ', "smacks", "sasl2_sm"';

/** Debian 12's module calls a method that its Prosody 0.12 does not have. Returns the folder of a copy without that. */
async function adaptModule(folder: string): Promise<string> {
  const source = await readFile(`${MODULES}/mod_sasl2/mod_sasl2.lua`, 'utf8');
  const target = join(folder, 'modules', 'mod_sasl2');
  await mkdir(target, { recursive: true });
  await writeFile(join(target, 'mod_sasl2.lua'), source.replace('conn:ssl_info()', 'conn:socket():info()'));
  return join(folder, 'modules');
}

describe('A login by SASL2 and Bind 2 at Prosody', { skip: needs('prosody') }, () => {
  const authorities = getCACertificates('default');
  let testbed: XmppTestbed;
  let server: Prosody;
  let accounts: AccountSenders;
  before(async () => {
    testbed = await createXmppTestbed();
    const modules = XMPP_ROOT === '' ? await adaptModule(testbed.folder) : MODULES;
    server = await startProsody({
      tls: testbed.certificate,
      global: `
plugin_paths = { "${modules}", "${MODULES}" }
modules_enabled = { "disco", "roster", "saslauth", "tls", "ping", "sasl2", "sasl2_bind2"${ACKS} }`,
    });
    await server.register('romeo', PASSWORD);
    setDefaultCACertificates([...authorities, testbed.ca]);
    accounts = createAccountSenders({
      clock: Date.now,
      log: pino({ level: 'silent' }),
      settings: () => accountSettings(server.clientPort),
    });
  });
  after(async () => {
    setDefaultCACertificates(authorities);
    await accounts?.stop();
    await server?.stop();
    await testbed?.remove();
  });

  const loginOf = (jid: string, password = PASSWORD) => ({ jid, password, address: '192.0.2.1' });
  const ping = xml('iq', { type: 'get', to: 'localhost' }, xml('ping', 'urn:xmpp:ping'));

  test('works with a resource of the server, and with one that the account names', async () => {
    const romeo = await accounts.senderFor(loginOf('romeo@localhost'));
    assert.match(romeo.jid, /^romeo@localhost\/Porter~/);
    assert.equal((await romeo.sendIq(ping, 30_000)).attrs.type, 'result');
    const phone = await accounts.senderFor(loginOf('romeo@localhost/phone'));
    assert.equal(phone.jid, 'romeo@localhost/phone');
    assert.equal((await phone.sendIq(ping, 30_000)).attrs.type, 'result');
  });

  test('turns on acks (XEP-0198) with the login where the server has that', async () => {
    const jid = { local: 'romeo', domain: 'localhost', resource: '' };
    const settings = accountSettings(server.clientPort);
    const bound = await logIn(createSystemDnsResolver(), settings, jid, PASSWORD);
    assert.match(bound.jid, /^romeo@localhost\/Porter~/);
    assert.equal(bound.hasAcks, ACKS !== '');
    await bound.stream.close();
    const romeo = await accounts.senderFor(loginOf('romeo@localhost'));
    const message = xml('message', { to: 'romeo@localhost', type: 'headline' }, xml('body', {}, 'hello'));
    await romeo.deliver(message, { bounceWait: 3_600_000 });
  });

  test('is refused with a wrong password', async () => {
    await assert.rejects(accounts.senderFor(loginOf('romeo@localhost', 'wrong')), {
      code: 'credentials_wrong',
    });
  });
});
