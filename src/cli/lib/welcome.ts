import type { Config } from '../../config/load.ts';
import type { PorterServer } from '../../server/start.ts';

/** For somebody who just typed `npm start`: three lines that work as pasted. */
export function formatWelcome({ addresses }: PorterServer, { storage }: Config): string {
  const address = addresses.find((place) => 'port' in place);
  const url = `http://127.0.0.1:${address && 'port' in address ? address.port : 5050}`;
  const place = storage.blobs.kind === 'folder' ? storage.blobs.path : storage.blobs.bucket;
  return `
Porter is at ${url}, files go to ${place}. Everybody on this machine may upload,
100 MiB a file and 1 GiB in all. Ask for a slot, upload, download:

  SLOT=$(curl -s '${url}/slot/?jid=me@localhost&name=hello.txt&size=13&content_type=text/plain')
  curl -H 'Content-Type: text/plain' -X PUT --data-binary 'Hello, world!' "$(echo "$SLOT" | head -n 1)"
  curl "$(echo "$SLOT" | tail -n 1)"

Next, beside your XMPP server: npm run -s porter -- init --for prosody --domain example.org

`;
}
