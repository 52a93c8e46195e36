import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { httpRequest } from '../../support/http.ts';
import { waitUntil } from '../../support/wait-until.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import { startProfanity } from '../peers/profanity.ts';
import type { DiscoInfo, SlixmppClient, StanzaErrorInfo } from '../peers/slixmpp.ts';
import type { XmppServer, XmppServerOptions } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import {
  createXmppTestbed,
  PASSWORD,
  sendFileBetweenGoClients,
  type XmppTestbed,
} from '../support/xmpp-testbed.ts';

const UPLOAD = 'upload.localhost';
const SECOND = 'files.localhost';
const SECRET = 'a secret of twenty characters';

interface Slot {
  readonly put: string;
  readonly get: string;
}

interface CommandStage {
  readonly status: string;
  readonly session: string;
  readonly notes: readonly string[];
  readonly form: string | null;
  readonly fields: readonly string[];
  readonly options: readonly string[];
  readonly rows: readonly Readonly<Record<string, string>>[];
}

interface Refused {
  readonly error: StanzaErrorInfo;
}

interface Received {
  readonly from: string;
  readonly body: string;
  readonly url: string;
}

/** Tests uploads through an XMPP server, with the whole program and real clients. */
export function testUploads(
  name: PeerName,
  startServer: (options: XmppServerOptions) => Promise<XmppServer>,
): void {
  describe(`Uploads through ${name}`, { skip: needs(name, 'slixmpp') }, () => {
    let testbed: XmppTestbed;
    let ca: string;
    let server: XmppServer;
    let porter: PorterProcess;
    let romeo: SlixmppClient;

    before(async () => {
      testbed = await createXmppTestbed();
      const { certificate } = testbed;
      ca = testbed.ca;
      const components = [UPLOAD, SECOND].map((jid) => ({ jid, secret: SECRET }));
      server = await startServer({ components, tls: certificate });
      for (const user of ['romeo', 'juliet', 'mercutio', 'tybalt']) await server.register(user, PASSWORD);
      const port = await freePort();
      porter = await startPorter({
        port,
        certificate,
        config: {
          public_url: `https://localhost:${port}`,
          component: components.map((entry) => ({ ...entry, server: `127.0.0.1:${server.componentPort}` })),
          access: [
            { jid: '^mercutio@', max_file_size: 1000, uploads_per: { period: '1h', uploads: 1 } },
            { jid: ['^romeo@', '^juliet@'] },
          ],
          web: { admins: ['Juliet@localhost'] },
          retention: { purposes: { profile: { max_age: 'never' } } },
        },
      });
      await porter.program.waitFor('the streams', () => isReady());
      romeo = await testbed.login(server, 'romeo');
    });

    after(async () => {
      await romeo?.logout();
      await porter?.remove();
      await server?.stop();
      await testbed?.remove();
    });

    const isReady = async () => (await httpRequest(`${porter.url}/readyz`, { ca })).status === 200;

    async function login<T>(user: string, work: (client: SlixmppClient) => Promise<T>): Promise<T> {
      const client = await testbed.login(server, user);
      try {
        return await work(client);
      } finally {
        await client.logout();
      }
    }

    test('a client discovers the service among the items of its server', async () => {
      const found = await romeo.run<DiscoInfo>('discover');
      assert.ok([UPLOAD, SECOND].includes(found.jid), found.jid);
      const info = await romeo.run<DiscoInfo>('info', { jid: UPLOAD });
      assert.deepEqual(info.identities, [['store', 'file', 'HTTP File Upload']]);
      assert.ok(info.features.includes('urn:xmpp:http:upload:0'));
      assert.ok(info.features.includes('urn:xmpp:http:upload:purpose:0#profile'));
      assert.deepEqual(info.forms[0], [
        ['FORM_TYPE', 'urn:xmpp:http:upload:0'],
        ['max-file-size', '2147483647'],
      ]);
    });

    test('the component answers ping, version and vCard requests', async () => {
      assert.ok((await romeo.run<{ seconds: number }>('ping', { jid: UPLOAD })).seconds >= 0);
      assert.equal((await romeo.run<{ name: string }>('version', { jid: UPLOAD })).name, 'Porter');
      assert.equal((await romeo.run<{ name: string }>('vcard', { jid: UPLOAD })).name, 'HTTP File Upload');
    });

    for (const fileName of [
      'très cool.jpg',
      'a+b 100%.txt',
      '日本語.pdf',
      '😀 (1).gif',
      "it's; x=y&z?#.png",
      'Перечень юр лиц и услуг.xlsx',
      'تقرير.docx',
      '.htaccess',
    ]) {
      test(`"${fileName}" is stored with its bytes and name, and the link ends in the name`, async () => {
        const content = `content of ${fileName}`;
        const path = await testbed.createFile(fileName, content);
        const { get } = await romeo.run<Slot>('upload', { jid: UPLOAD, path });
        // slixmpp rewrites the escapes of the link.
        assert.match(get, /^https:\/\/localhost:\d+\/files\/[0-9a-z]{26}\/[^/?#\s]+$/);
        assert.equal(decodeURIComponent(get.split('/').at(-1) ?? ''), fileName);
        const answer = await httpRequest(get, { ca });
        assert.equal(answer.status, 200);
        assert.equal(answer.text, content);
        const disposition = String(answer.headers['content-disposition']);
        const encoded = /filename\*=UTF-8''([^;]+)/.exec(disposition)?.[1];
        const plain = /filename="([^"]+)"/.exec(disposition)?.[1];
        assert.equal(encoded === undefined ? plain : decodeURIComponent(encoded), fileName, disposition);
      });
    }

    test('a name that is a path, too long or invisible is cleaned, not refused', async () => {
      for (const [name, cleaned] of [
        ['/storage/emulated/0/a.jpg', 'a.jpg'],
        ['C:\\Users\\me\\a.jpg', 'a.jpg'],
        ['\u202Egpj.exe', 'gpj.exe'],
        ['..', 'file.bin'],
        [' ', 'file.bin'],
        [`${'体'.repeat(90)}.docx`, `${'体'.repeat(78)}.docx`],
      ] as const) {
        const { get } = await romeo.run<Slot>('slot', { jid: UPLOAD, name, size: 1 });
        assert.equal(decodeURIComponent(get.split('/').at(-1) ?? ''), cleaned);
      }
    });

    test('each of several component JIDs grants slots', async () => {
      for (const jid of [UPLOAD, SECOND]) {
        const { put, get } = await romeo.run<Slot>('slot', {
          jid,
          name: 'a.jpg',
          size: 5,
          type: 'image/jpeg',
        });
        const stored = await httpRequest(put, {
          method: 'PUT',
          body: 'hello',
          headers: { 'Content-Type': 'image/jpeg' },
          ca,
        });
        assert.equal(stored.status, 201);
        assert.equal((await httpRequest(get, { ca })).text, 'hello');
      }
    });

    test('clients that use the old namespace get slots as text', async () => {
      const xml =
        "<request xmlns='urn:xmpp:http:upload'><filename>a.jpg</filename><size>5</size>" +
        '<content-type>image/jpeg</content-type></request>';
      const answer = await romeo.run<{ xml: string }>('raw', { jid: UPLOAD, xml });
      const put = /<put>([^<]+)<\/put>/.exec(answer.xml)?.[1] ?? '';
      const get = /<get>([^<]+)<\/get>/.exec(answer.xml)?.[1] ?? '';
      assert.equal((await httpRequest(put, { method: 'PUT', body: 'hello', ca })).status, 201);
      assert.equal((await httpRequest(get, { ca })).text, 'hello');
    });

    test('a file that is too large, a used-up quota and an unknown user get clear errors', async () => {
      await login('mercutio', async (mercutio) => {
        const info = await mercutio.run<DiscoInfo>('info', { jid: UPLOAD });
        assert.deepEqual(info.forms[0]?.[1], ['max-file-size', '1000']);
        const large = await mercutio.run<Refused>('slot', { jid: UPLOAD, name: 'a.jpg', size: 1001 });
        assert.deepEqual(large.error, {
          type: 'modify',
          condition: 'not-acceptable',
          text: 'The file is too large: 1001 bytes. The maximum file size is 1000 bytes (1000 bytes).',
          maxFileSize: '1000',
          retry: null,
        });
        const before = Date.now();
        await mercutio.run<Slot>('slot', { jid: UPLOAD, name: 'a.jpg', size: 1000 });
        const { error } = await mercutio.run<Refused>('slot', { jid: UPLOAD, name: 'b.jpg', size: 1000 });
        assert.deepEqual([error.type, error.condition], ['wait', 'resource-constraint']);
        assert.match(
          error.text,
          /^You have uploaded 1 of 1 file in the last hour\. There is room again (?:on|at) .* UTC, in /,
        );
        const retryAt = Date.parse(error.retry ?? '');
        assert.ok(retryAt > before && retryAt <= Date.now() + 3_700_000, `retry at ${error.retry}`);
      });
      await login('tybalt', async (tybalt) => {
        const { error } = await tybalt.run<Refused>('slot', { jid: UPLOAD, name: 'a.jpg', size: 1 });
        assert.deepEqual(
          [error.type, error.condition, error.text],
          ['auth', 'forbidden', 'tybalt@localhost may not upload files here.'],
        );
      });
    });

    test('go-sendxmpp sends a file to another go-sendxmpp', {
      skip: needs('go-sendxmpp'),
    }, async () => {
      const path = await testbed.createFile('tést file+1 (a).txt', 'O, speak again, bright angel');
      const link = await sendFileBetweenGoClients(testbed, server, romeo, path);
      assert.equal((await httpRequest(link, { ca })).text, 'O, speak again, bright angel');
    });

    test('slixmpp lists the files of its user with a command, deletes one, and may not run those of admins', async () => {
      const path = await testbed.createFile('love letter.txt', 'Delay this marriage for a month, a week');
      const { get } = await login('tybalt', async (tybalt) => {
        assert.deepEqual((await tybalt.run<{ nodes: string[] }>('commands', { jid: UPLOAD })).nodes, []);
        return await romeo.run<Slot>('upload', { jid: UPLOAD, path });
      });
      const { nodes } = await romeo.run<{ nodes: string[] }>('commands', { jid: UPLOAD });
      assert.deepEqual(nodes, ['delete-all-files', 'delete-file', 'my-files', 'my-quota']);
      const list = await romeo.run<CommandStage>('command', { jid: UPLOAD, node: 'my-files' });
      const [newest] = list.rows;
      assert.equal(newest?.name, 'love letter.txt');
      assert.equal(decodeURI(newest?.link ?? ''), decodeURI(get));
      assert.match(list.fields[0] ?? '', /^love letter\.txt, 39 bytes, /);

      const choice = await romeo.run<CommandStage>('command', { jid: UPLOAD, node: 'delete-file' });
      assert.deepEqual([choice.status, choice.form], ['executing', 'form']);
      assert.equal(choice.options[0], newest?.id);
      const done = await romeo.run<CommandStage>('command', {
        jid: UPLOAD,
        node: 'delete-file',
        session: choice.session,
        action: 'complete',
        values: { files: [choice.options[0]] },
      });
      assert.deepEqual([done.status, done.notes], ['completed', ['Deleted 1 file: love letter.txt.']]);
      assert.equal((await httpRequest(get, { ca })).status, 404);

      const { error } = await romeo.run<Refused>('command', { jid: UPLOAD, node: 'sweep-now' });
      assert.deepEqual([error.type, error.condition], ['auth', 'forbidden']);
    });

    test('profanity sends a file, the recipient gets its link, and a command deletes it', {
      skip: needs('profanity', 'tmux'),
    }, async () => {
      const path = await testbed.createFile('the balcony.jpg', 'moonlight');
      const profanity = await startProfanity(testbed.account(server, 'juliet'));
      try {
        // profanity runs its own discovery after login; once these answers have arrived, that one is complete too.
        await profanity.typeLine('/disco items localhost');
        await profanity.waitForScreen(/Service discovery items for localhost/);
        await profanity.typeLine(`/disco info ${UPLOAD}`);
        await profanity.waitForScreen(/HTTP File Upload file store/);
        await profanity.typeLine('/msg romeo@localhost look');
        assert.equal((await romeo.run<Received>('receive')).body, 'look');
        await profanity.typeLine(`/sendfile "${path}"`);
        const received = await romeo.run<Received>('receive');
        assert.equal(received.from, 'juliet@localhost');
        assert.equal(received.url, received.body);
        await profanity.waitForScreen(/the balcony\.jpg': 100%/);
        const answer = await httpRequest(received.url, { ca });
        assert.deepEqual([answer.status, answer.text], [200, 'moonlight']);
        assert.equal(answer.headers['content-type'], 'image/jpeg');

        await profanity.typeLine('/win 1');
        await profanity.typeLine(`/cmd list ${UPLOAD}`);
        await profanity.waitForScreen(/ {2}delete-all-files\s[\s\S]* {2}sweep-now\s/);
        await profanity.typeLine(`/cmd exec delete-all-files ${UPLOAD}`);
        await profanity.waitForScreen(
          /This deletes 1 file, 9 bytes\.[\s\S]*\[field1\] Yes, delete all my files: FALSE/,
        );
        await profanity.typeLine('/field1 on');
        await profanity.waitForScreen(/\[field1\] Yes, delete all my files: TRUE/);
        await profanity.typeLine('/form submit');
        await waitUntil(async () => (await httpRequest(received.url, { ca })).status === 404);
        await profanity.typeLine('/win 1');
        await profanity.waitForScreen(
          /delete-all-files completed[\s\S]*All your files are deleted: 1 file\./,
        );
      } finally {
        await profanity.stop();
      }
    });

    test('files are served while the XMPP server is down, and slots are granted again after its restart', async () => {
      const path = await testbed.createFile('before.txt', 'written before the kill');
      const { get } = await romeo.run<Slot>('upload', { jid: UPLOAD, path });
      const open = await romeo.run<Slot>('slot', {
        jid: UPLOAD,
        name: 'open.txt',
        size: 5,
        type: 'text/plain',
      });
      await romeo.logout();
      await server.kill();
      await porter.program.waitFor('the disconnect', async () => !(await isReady()));
      const ready = await httpRequest(`${porter.url}/readyz`, { ca });
      assert.equal(ready.status, 503);
      assert.match(ready.text, /upload\.localhost/);
      assert.equal((await httpRequest(get, { ca })).text, 'written before the kill');
      assert.equal((await httpRequest(open.put, { method: 'PUT', body: 'hello', ca })).status, 201);
      await server.start();
      await porter.program.waitFor('the streams to come back', isReady);
      romeo = await testbed.login(server, 'romeo');
      const again = await romeo.run<Slot>('upload', { jid: UPLOAD, path });
      assert.equal((await httpRequest(again.get, { ca })).text, 'written before the kill');
    });
  });
}
