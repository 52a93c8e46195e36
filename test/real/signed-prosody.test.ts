import type { Certificate } from './certificate.ts';
import { startProsody } from './prosody.ts';
import { SECRET, type Signer, signedThrough } from './signed-through.ts';

/** Modules that could serve over HTTP themselves are not to. */
const NO_HTTP = 'http_ports = {}\nhttps_ports = {}';

function start(lines: (base: string) => string) {
  return (baseUrl: string, tls: Certificate) => startProsody({ tls, global: NO_HTTP, extra: lines(baseUrl) });
}

function external(protocol: 'v1' | 'v2'): Signer {
  return {
    name: `Prosody's mod_http_upload_external, ${protocol}`,
    server: 'prosody',
    config: { external: { secret: SECRET } },
    start: start(
      (base) => `
Component "upload.localhost" "http_upload_external"
  http_upload_external_base_url = "${base}/upload/"
  http_upload_external_secret = "${SECRET}"
  http_upload_external_protocol = "${protocol}"
`,
    ),
    link: /^https:\/\/localhost:\d+\/upload\/[0-9a-f-]{36}\/[^/]+$/,
    owner: /^external$/,
    rightInUrl: true,
    knowsUsers: false,
  };
}

signedThrough(external('v1'));
signedThrough(external('v2'));
signedThrough({
  name: "Prosody's mod_http_file_share, with another base URL",
  server: 'prosody',
  config: { file_share: { secret: SECRET } },
  start: start(
    (base) => `
Component "share.localhost" "http_file_share"
  http_file_share_base_url = "${base}/file_share/"
  http_file_share_secret = "${SECRET}"
`,
  ),
  link: /^https:\/\/localhost:\d+\/file_share\/[\w-]{24}\/[^/]+$/,
  owner: /^romeo@localhost$/,
  rightInUrl: false,
  knowsUsers: true,
  expiresAfter: 7,
});
