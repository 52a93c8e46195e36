import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import type { MessageSender } from '../../../src/messages/delivery/message-sender.ts';
import { allowAllRule } from '../../../src/policy/access.ts';
import { createComponentSenders } from '../../../src/xmpp/component/component-senders.ts';
import { type Components, startComponents } from '../../../src/xmpp/component/components.ts';
import { chatMessage, expectRefusal } from '../../support/component-sender.ts';
import { createGrantingServices, uploadRules } from '../../support/granting-services.ts';
import { type CertificateFiles, writeCertificate } from '../../support/self-signed-certificate.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { needs } from '../peers/peers.ts';
import { type Prosody, startProsody } from '../peers/prosody.ts';
import { SlixmppClient } from '../peers/slixmpp.ts';
import { createTemporaryFolder } from '../support/porter-process.ts';

const COMPONENT = 'bot.verona.test';
const SECRET = 'a secret of twenty characters';
const PASSWORD = 'pw';
/** An hour: a test that waited for the end of it would fail. */
const UNTIL_TAKEN = { bounceWait: 3_600_000 };

/** Another loopback network for each run, because every server needs port 5269 for itself. */
const network = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
const VERONA = { domain: 'verona.test', address: `${network}.1` };
const MANTUA = { domain: 'mantua.test', address: `${network}.2` };

describe('A message from the component of one server to a user of another', {
  skip: needs('prosody', 'slixmpp'),
}, () => {
  let folder: string;
  let verona: Prosody;
  let mantua: Prosody;
  let components: Components;
  let alerts: MessageSender;
  let juliet: SlixmppClient;

  function start(
    { domain, address }: typeof VERONA,
    certificate: CertificateFiles,
    secret?: string,
  ): Promise<Prosody> {
    const federation = { address, hosts: join(folder, 'hosts'), certificate };
    return startProsody({ domain, federation, components: secret ? [{ jid: COMPONENT, secret }] : [] });
  }

  before(async () => {
    folder = await createTemporaryFolder();
    await chmod(folder, 0o755);
    const lines = [VERONA, MANTUA].map(({ domain, address }) => `${address} ${domain}`);
    await writeFile(join(folder, 'hosts'), `${lines.join('\n')}\n${VERONA.address} ${COMPONENT}\n`);
    const certificate = await writeCertificate(folder, [VERONA.domain, COMPONENT, MANTUA.domain]);
    verona = await start(VERONA, certificate, SECRET);
    mantua = await start(MANTUA, certificate);
    await mantua.register('juliet', PASSWORD);
    juliet = await SlixmppClient.login({
      jid: `juliet@${MANTUA.domain}`,
      password: PASSWORD,
      port: mantua.clientPort,
    });
    const componentSenders = createComponentSenders({ answerTimeout: () => 30_000, roomIdle: () => 60_000 }, [
      COMPONENT,
    ]);
    const { deps } = createGrantingServices(uploadRules([allowAllRule]));
    const bases = { putBase: 'https://localhost', getBase: 'https://localhost' };
    components = startComponents({ ...deps, log: pino({ level: 'silent' }), componentSenders }, [
      {
        jid: COMPONENT,
        secret: SECRET,
        server: { host: '127.0.0.1', port: verona.componentPort },
        name: 'Bot',
        linkBasesFor: () => bases,
      },
    ]);
    await waitUntil(() => components.status()[0]?.up === true);
    alerts = componentSenders.senderFor(`alerts@${COMPONENT}`);
  });

  after(async () => {
    await components?.stop();
    await juliet?.logout();
    await verona?.stop();
    await mantua?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('is sent once the other server has taken it, the first one over a new connection too', async () => {
    for (let n = 0; n < 20; n += 1) {
      await alerts.deliver(chatMessage(`juliet@${MANTUA.domain}`, `message ${n}`), UNTIL_TAKEN);
      const { body } = await juliet.run<{ body: string }>('receive');
      assert.equal(body, `message ${n}`);
    }
  });

  test('that does not exist bounces each time, before the ping behind it is answered', async () => {
    for (let n = 0; n < 20; n += 1) {
      const message = chatMessage(`unknown${n}@${MANTUA.domain}`, 'hello');
      const { code, condition } = await expectRefusal(alerts.deliver(message, UNTIL_TAKEN));
      assert.deepEqual([code, condition], ['bounced', 'service-unavailable']);
    }
  });

  test('whose server is away bounces', async () => {
    await mantua.kill();
    const message = chatMessage(`juliet@${MANTUA.domain}`, 'hello?');
    // Until its server notices that the connection is gone, it loses what it writes into it, the ping too.
    let refusal: unknown;
    while (refusal === undefined) {
      refusal = await alerts.deliver(message, { bounceWait: 2000 }).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    const { code, condition } = await expectRefusal(Promise.reject(refusal));
    assert.equal(code, 'bounced');
    assert.match(condition ?? '', /^remote-server-(?:timeout|not-found)$/);
  });
});
