import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startComponents } from '../../../src/xmpp/component/components.ts';
import { FakeComponentServer } from '../../support/fake-component-server.ts';
import { withoutAdmins } from '../../support/granting-services.ts';
import { sendRequest } from '../../support/http.ts';
import { iq, JID, SECRET, slotRequest } from '../../support/test-component.ts';
import { startTestFileServer } from '../../support/test-file-server.ts';

const UPLOAD = 'urn:xmpp:http:upload:0';
const LEGACY = 'urn:xmpp:http:upload';
const PNG = 'image/png';
const UNKNOWN = 'application/octet-stream';

/** The slot request and the PUT of a client, as seen on the wire (docs/clients.md). */
interface ClientUpload {
  readonly client: string;
  readonly from?: 'bare' | 'full';
  readonly namespace?: typeof LEGACY;
  readonly name: string;
  /** `content-type` of the slot request. */
  readonly slotType?: string;
  /** `Content-Type` of the PUT. */
  readonly putType?: string;
  /** More headers of the PUT. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly servedType: string;
  /** A browser asks before it sends. */
  readonly preflight?: boolean;
  /** Asks HEAD before it fetches the file. */
  readonly head?: boolean;
}

const UPLOADS: readonly ClientUpload[] = [
  { client: 'Dino 0.4.2', name: 'Foto ä.png', slotType: PNG, putType: PNG, servedType: PNG, head: true },
  {
    client: 'Dino 0.4.2 with OMEMO',
    name: 'Foto ä.png',
    slotType: UNKNOWN,
    putType: UNKNOWN,
    servedType: UNKNOWN,
    head: true,
  },
  { client: 'Gajim 1.7.3', name: 'Привет мир.png', slotType: PNG, putType: PNG, servedType: PNG, head: true },
  { client: 'Psi+ 1.4.554', from: 'bare', namespace: LEGACY, name: 'a b.png', servedType: UNKNOWN },
  { client: 'Kaidan 0.8', name: 'data.bin', servedType: UNKNOWN },
  { client: 'Kaidan 0.8 with a picture', name: 'a.png', slotType: PNG, putType: PNG, servedType: PNG },
  {
    client: 'poezio 0.14',
    name: 'a.txt',
    slotType: 'text/plain',
    putType: 'text/plain',
    servedType: 'text/plain',
  },
  {
    client: 'Converse 14',
    name: 'a.png',
    slotType: PNG,
    putType: PNG,
    headers: { Origin: 'https://chat.example.org' },
    servedType: PNG,
    preflight: true,
  },
];

function slotRequestOf({ namespace, name, slotType }: ClientUpload, size: number): string {
  if (namespace === LEGACY) {
    const type = slotType === undefined ? '' : `<content-type>${slotType}</content-type>`;
    return slotRequest('', `<filename>${name}</filename><size>${size}</size>${type}`, LEGACY);
  }
  const type = slotType === undefined ? '' : ` content-type='${slotType}'`;
  return slotRequest(`filename='${name}' size='${size}'${type}`);
}

describe('an upload as it is sent by', () => {
  for (const upload of UPLOADS) {
    test(upload.client, async (t) => {
      const files = await startTestFileServer(t);
      const base = `http://127.0.0.1:${files.port}`;
      const xmppServer = await FakeComponentServer.listen({ secret: SECRET });
      const components = startComponents({ ...files.services, ...withoutAdmins }, [
        {
          jid: JID,
          secret: SECRET,
          server: { host: '127.0.0.1', port: xmppServer.port },
          name: 'Files',
          linkBasesFor: () => ({ putBase: base, getBase: base }),
        },
      ]);
      t.after(async () => {
        await components.stop();
        await xmppServer.stop();
      });
      const stream = await xmppServer.nextStream();
      // OMEMO appends a tag of 16 bytes.
      const body = Buffer.alloc(upload.client.includes('OMEMO') ? 1016 : 1000, 'x');
      const from = upload.from === 'bare' ? 'romeo@example.org' : 'romeo@example.org/client';
      const answer = await stream.request(iq(slotRequestOf(upload, body.length), { from }));
      assert.equal(answer.attrs.type, 'result', answer.toString());
      const slot = answer.getChild('slot', upload.namespace ?? UPLOAD);
      const linkOf = (name: string) =>
        slot?.getChild(name)?.attrs.url ?? slot?.getChild(name)?.getText() ?? '';
      const [put, get] = [new URL(linkOf('put')), new URL(linkOf('get'))];
      assert.equal(decodeURIComponent(get.pathname.split('/').at(-1) ?? ''), upload.name);

      const at = { host: '127.0.0.1', port: files.port };
      if (upload.preflight) {
        const asked = { ...upload.headers, 'Access-Control-Request-Method': 'PUT' };
        const allowed = await sendRequest(at, put.pathname, { method: 'OPTIONS', headers: asked });
        assert.equal(allowed.headers['access-control-allow-origin'], '*');
        assert.match(String(allowed.headers['access-control-allow-methods']), /PUT/);
      }
      const headers = {
        'Content-Length': String(body.length),
        ...(upload.putType !== undefined && { 'Content-Type': upload.putType }),
        ...upload.headers,
      };
      assert.equal((await sendRequest(at, put.pathname, { method: 'PUT', headers, body })).status, 201);
      if (upload.head) {
        const head = await sendRequest(at, get.pathname, { method: 'HEAD' });
        assert.deepEqual([head.status, head.headers['content-length']], [200, String(body.length)]);
      }
      const file = await sendRequest(at, get.pathname);
      assert.equal(file.status, 200);
      assert.equal(file.headers['content-type'], upload.servedType);
      assert.equal(file.text.length, body.length);
    });
  }
});
