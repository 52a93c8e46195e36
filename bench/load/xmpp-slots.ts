import { FILE_NAME, FILE_TYPE, type UploadSlot } from '../servers/file-server.ts';
import { type Account, XmppClient } from './xmpp-client.ts';

/** Concurrent requests per client. */
const WINDOW = 32;
/** The number of clients. */
const CLIENTS = 4;

export interface XmppSlotOptions {
  readonly account: Account;
  /** The JID of the upload service. */
  readonly to: string;
  readonly count: number;
  readonly size: number;
}

export interface XmppSlots {
  readonly slots: UploadSlot[];
  /** Seconds from the first request to the last answer, without the login. */
  readonly seconds: number;
}

/** Requests slots (XEP-0363) from several clients with many concurrent requests each. Throws at the first refusal. */
export async function requestXmppSlots({ account, to, count, size }: XmppSlotOptions): Promise<XmppSlots> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => XmppClient.login(account)));
  const answers: string[] = [];
  const started = performance.now();
  const share = Math.ceil(count / CLIENTS);
  const ask = (number: number) => requestFor(to, number, size);
  await Promise.all(clients.map((client) => client.sendIqs(share, WINDOW, ask, (iq) => answers.push(iq))));
  const seconds = (performance.now() - started) / 1000;
  for (const client of clients) client.end();
  return { slots: answers.map(readSlot), seconds };
}

const requestFor = (to: string, number: number, size: number) =>
  `<iq type='get' to='${to}' id='s${number}'><request xmlns='urn:xmpp:http:upload:0' filename='${FILE_NAME}' ` +
  `size='${size}' content-type='${FILE_TYPE}'/></iq>`;

/** Parses the answer after the timed run. */
function readSlot(iq: string): UploadSlot {
  const put = /<put\b[^>]*?url=(['"])(.*?)\1/.exec(iq)?.[2];
  const got = /<get\b[^>]*?url=(['"])(.*?)\1/.exec(iq)?.[2];
  if (put === undefined || got === undefined) throw new Error(`no slot but: ${iq}`);
  const headers = Object.fromEntries(
    [...iq.matchAll(/<header\b[^>]*?name=(['"])(.*?)\1[^>]*>(.*?)<\/header>/g)].map((found) => [
      found[2] ?? '',
      unescaped(found[3] ?? ''),
    ]),
  );
  return {
    putPath: pathOf(put),
    headers: { 'Content-Type': FILE_TYPE, ...headers },
    getPath: pathOf(got),
  };
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(unescaped(url));
  return pathname + search;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&apos;': "'",
  '&quot;': '"',
};

const unescaped = (text: string) =>
  text.replace(/&(?:amp|lt|gt|apos|quot);/g, (entity) => ENTITIES[entity] ?? '');
