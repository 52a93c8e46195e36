import assert from 'node:assert/strict';
import { request as requestHttps } from 'node:https';
import { after, before, describe, test } from 'node:test';
import vectors from '../../fixtures/signed-links.json' with { type: 'json' };
import { type HttpResponse, httpRequest, readResponse } from '../../support/http.ts';
import type { CertificateFiles } from '../../support/self-signed-certificate.ts';
import { needs, type PeerName } from '../peers/peers.ts';
import type { SlixmppClient } from '../peers/slixmpp.ts';
import type { XmppServer } from '../peers/xmpp-server.ts';
import { type PorterProcess, startPorter } from '../support/porter-process.ts';
import { freePort } from '../support/ports.ts';
import {
  createXmppTestbed,
  PASSWORD,
  sendFileBetweenGoClients,
  type XmppTestbed,
} from '../support/xmpp-testbed.ts';

export const SECRET = 'a secret of twenty characters';
const ROMEO = 'romeo@localhost';

/** An XMPP server that gives out links of its own making, by which files are put into Porter. */
export interface LinkSigner {
  readonly name: string;
  readonly server: PeerName;
  /** What makes Porter take its links. */
  readonly config: object;
  /** Starts it with what makes it point at Porter's base URL (no slash at its end). */
  start(baseUrl: string, tls: CertificateFiles): Promise<XmppServer>;
  /** The path of its download links. */
  readonly linkPattern: RegExp;
  /** What becomes of a file's name on its way. */
  readonly storedName?: (name: string) => string;
  /** Whose `porter uploads` calls Romeo's files. */
  readonly owner: string | RegExp;
  /** Is the right to upload in the URL itself? */
  readonly signatureInUrl: boolean;
  /** Can Porter tell one user from another? */
  readonly identifiesUsers: boolean;
  /** Days after which the server lets files go, where it tells. */
  readonly expiresAfterDays?: number;
}

interface Row {
  readonly owner: string;
  readonly name: string;
  readonly type: string;
  readonly expires: string | null;
}

/** A request to a URL that nobody tidies up before. */
function askAsItIs(url: string, ca: string, method: string, body = ''): Promise<HttpResponse> {
  const [, port = '', path = ''] = /^https:\/\/localhost:(\d+)(\/.*)$/.exec(url) ?? [];
  const headers = { 'Content-Length': Buffer.byteLength(body) };
  const request = requestHttps({ host: 'localhost', port, path, method, headers, ca, agent: false });
  const answer = readResponse(request);
  request.end(body);
  return answer;
}

/** Files that are put there through the server's own upload service, by real clients. */
export function testSignedLinks(signer: LinkSigner): void {
  describe(`uploads by ${signer.name}`, { skip: needs(signer.server, 'slixmpp') }, () => {
    let stage: XmppTestbed;
    let ca: string;
    let server: XmppServer;
    let porter: PorterProcess;
    let romeo: SlixmppClient;
    let service: string;

    before(async () => {
      stage = await createXmppTestbed();
      const { certificate } = stage;
      ca = stage.ca;
      const port = await freePort();
      const publicUrl = `https://localhost:${port}`;
      porter = await startPorter({
        port,
        certificate,
        config: {
          public_url: publicUrl,
          access: [{ jid: '^romeo@', max_total_size: '1 MiB' }, { jid: '^juliet@' }],
          retention: { max_age: '30d' },
          ...signer.config,
        },
      });
      server = await signer.start(publicUrl, certificate);
      for (const user of ['romeo', 'juliet']) await server.register(user, PASSWORD);
      romeo = await stage.login(server, 'romeo');
      service = (await romeo.run<{ jid: string }>('discover')).jid;
    });

    after(async () => {
      await romeo?.logout();
      await server?.stop();
      await porter?.remove();
      await stage?.remove();
    });

    async function rows(...args: string[]): Promise<Row[]> {
      const { code, stdout, stderr } = await porter.runCommand('uploads', '--json', ...args);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as Row[];
    }

    for (const { name } of vectors.prosody.names) {
      test(`${JSON.stringify(name)} arrives with its bytes, its type and its name`, async () => {
        const content = `content of ${name}`;
        const path = await stage.createFile(name, content);
        const type = 'image/jpeg';
        const { get } = await romeo.run<{ get: string }>('upload', { jid: service, path, type });
        assert.match(get, signer.linkPattern);
        const answer = await httpRequest(get, { ca });
        assert.equal(answer.status, 200, get);
        assert.equal(answer.text, content);
        assert.equal(answer.headers['content-type'], type);
        const shown = /filename\*=UTF-8''([^;]+)/.exec(String(answer.headers['content-disposition']))?.[1];
        assert.equal(decodeURIComponent(shown ?? ''), signer.storedName?.(name) ?? name);
      });
    }

    if (signer.signatureInUrl) {
      test('a name that is a way up in folders is a name like any other', async () => {
        const names = { jid: service, name: '..', size: 5 };
        const { put, get } = await romeo.run<{ put: string; get: string }>('slot', names);
        const stored = await askAsItIs(put, ca, 'PUT', 'hello');
        assert.equal(stored.status, 201, put);
        const answer = await askAsItIs(get, ca, 'GET');
        assert.equal(answer.text, 'hello');
        assert.match(String(answer.headers['content-disposition']), /filename="file"/);
      });
    }

    test('go-sendxmpp sends a file, and another go-sendxmpp gets its link', {
      skip: needs('go-sendxmpp'),
    }, async () => {
      const path = await stage.createFile('tést file+1 (a).txt', 'O, speak again, bright angel');
      const answer = await httpRequest(await sendFileBetweenGoClients(stage, server, romeo, path), { ca });
      assert.equal(answer.text, 'O, speak again, bright angel');
      assert.match(String(answer.headers['content-type']), /^text\/plain/);
    });

    test('porter uploads shows whose they are, and when they go', async () => {
      const all = await rows();
      assert.ok(all.length >= vectors.prosody.names.length);
      for (const row of all) assert.match(row.owner, new RegExp(signer.owner));
      const end = Date.parse(all[0]?.expires ?? '');
      const days = (end - Date.now()) / 86_400_000;
      assert.equal(Math.round(days), signer.expiresAfterDays ?? 30);
      assert.equal((await rows('--jid', ROMEO)).length, signer.identifiesUsers ? all.length : 0);
    });

    test('porter forget takes all that a user ever sent, where the links tell who it was', async () => {
      const path = await stage.createFile('last.txt', 'the rest is silence');
      const { get } = await romeo.run<{ get: string }>('upload', { jid: service, path, type: 'text/plain' });
      assert.equal((await httpRequest(get, { ca })).status, 200);
      assert.equal((await porter.runCommand('forget', ROMEO)).code, 0);
      await porter.program.waitFor('the file to go', async () => {
        const { status } = await httpRequest(get, { ca });
        return status === (signer.identifiesUsers ? 404 : 200);
      });
      assert.equal((await rows('--jid', ROMEO)).length, 0);
    });
  });
}
