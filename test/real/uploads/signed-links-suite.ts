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

/** An XMPP server that signs upload links to Porter itself. */
export interface LinkSigner {
  readonly name: string;
  readonly server: PeerName;
  /** The settings with which Porter accepts its links. */
  readonly config: object;
  /** Starts the server with links below Porter's base URL (without a trailing slash). */
  start(baseUrl: string, tls: CertificateFiles): Promise<XmppServer>;
  /** Matches its download links. */
  readonly linkPattern: RegExp;
  /** Returns the file name that the server puts into the link. */
  readonly storedName?: (name: string) => string;
  /** The owner of Romeo's files in `porter uploads`. */
  readonly owner: string | RegExp;
  /** Whether the signature is part of the URL. */
  readonly signatureInUrl: boolean;
  /** Whether the links identify the user. */
  readonly identifiesUsers: boolean;
  /** The lifetime in days, if the links contain it. */
  readonly expiresAfterDays?: number;
}

interface Row {
  readonly owner: string;
  readonly name: string;
  readonly type: string;
  readonly expires: string | null;
}

/** Sends a request without normalizing the URL. */
function requestRaw(url: string, ca: string, method: string, body = ''): Promise<HttpResponse> {
  const [, port = '', path = ''] = /^https:\/\/localhost:(\d+)(\/.*)$/.exec(url) ?? [];
  const headers = { 'Content-Length': Buffer.byteLength(body) };
  const request = requestHttps({ host: 'localhost', port, path, method, headers, ca, agent: false });
  const answer = readResponse(request);
  request.end(body);
  return answer;
}

/** Tests uploads by real clients through the upload service of an XMPP server. */
export function testSignedLinks(signer: LinkSigner): void {
  describe(`Uploads with links of ${signer.name}`, { skip: needs(signer.server, 'slixmpp') }, () => {
    let testbed: XmppTestbed;
    let ca: string;
    let server: XmppServer;
    let porter: PorterProcess;
    let romeo: SlixmppClient;
    let service: string;

    before(async () => {
      testbed = await createXmppTestbed();
      const { certificate } = testbed;
      ca = testbed.ca;
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
      romeo = await testbed.login(server, 'romeo');
      service = (await romeo.run<{ jid: string }>('discover')).jid;
    });

    after(async () => {
      await romeo?.logout();
      await server?.stop();
      await porter?.remove();
      await testbed?.remove();
    });

    async function rows(...args: string[]): Promise<Row[]> {
      const { code, stdout, stderr } = await porter.runCommand('uploads', '--json', ...args);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as Row[];
    }

    for (const { name } of vectors.prosody.names) {
      test(`${JSON.stringify(name)} is stored with its bytes, type and name`, async () => {
        const content = `content of ${name}`;
        const path = await testbed.createFile(name, content);
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
      test('the name ".." is stored like any other', async () => {
        const names = { jid: service, name: '..', size: 5 };
        const { put, get } = await romeo.run<{ put: string; get: string }>('slot', names);
        const stored = await requestRaw(put, ca, 'PUT', 'hello');
        assert.equal(stored.status, 201, put);
        const answer = await requestRaw(get, ca, 'GET');
        assert.equal(answer.text, 'hello');
        assert.match(String(answer.headers['content-disposition']), /filename="file"/);
      });
    }

    test('go-sendxmpp sends a file to another go-sendxmpp', {
      skip: needs('go-sendxmpp'),
    }, async () => {
      const path = await testbed.createFile('tést file+1 (a).txt', 'O, speak again, bright angel');
      const answer = await httpRequest(await sendFileBetweenGoClients(testbed, server, romeo, path), { ca });
      assert.equal(answer.text, 'O, speak again, bright angel');
      assert.match(String(answer.headers['content-type']), /^text\/plain/);
    });

    test('porter uploads shows owners and expiry times', async () => {
      const all = await rows();
      assert.ok(all.length >= vectors.prosody.names.length);
      for (const row of all) assert.match(row.owner, new RegExp(signer.owner));
      const end = Date.parse(all[0]?.expires ?? '');
      const days = (end - Date.now()) / 86_400_000;
      assert.equal(Math.round(days), signer.expiresAfterDays ?? 30);
      assert.equal((await rows('--jid', ROMEO)).length, signer.identifiesUsers ? all.length : 0);
    });

    test('porter forget removes all files of a user, if the links identify the user', async () => {
      const path = await testbed.createFile('last.txt', 'the rest is silence');
      const { get } = await romeo.run<{ get: string }>('upload', { jid: service, path, type: 'text/plain' });
      assert.equal((await httpRequest(get, { ca })).status, 200);
      const { code, stderr } = await porter.runCommand('forget', '--force', ROMEO);
      assert.equal(code, signer.identifiesUsers ? 0 : 1, stderr);
      await porter.program.waitFor('the removal', async () => {
        const { status } = await httpRequest(get, { ca });
        return status === (signer.identifiesUsers ? 404 : 200);
      });
      assert.equal((await rows('--jid', ROMEO)).length, 0);
    });
  });
}
