import type { CertificateFiles } from '../../support/self-signed-certificate.ts';
import { startProsody } from '../peers/prosody.ts';
import { type LinkSigner, SECRET, testSignedLinks } from './signed-links-suite.ts';

/** Keeps Prosody's modules from serving files over HTTP themselves. */
const NO_HTTP = 'http_ports = {}\nhttps_ports = {}';

function start(lines: (base: string) => string) {
  return (baseUrl: string, tls: CertificateFiles) =>
    startProsody({ tls, global: NO_HTTP, extra: lines(baseUrl) });
}

function external(protocol: 'v1' | 'v2'): LinkSigner {
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
    linkPattern: /^https:\/\/localhost:\d+\/upload\/[0-9a-f-]{36}\/[^/]+$/,
    owner: /^external$/,
    signatureInUrl: true,
    identifiesUsers: false,
  };
}

testSignedLinks(external('v1'));
testSignedLinks(external('v2'));
testSignedLinks({
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
  linkPattern: /^https:\/\/localhost:\d+\/file_share\/[\w-]{24,36}\/[^/]+$/,
  owner: /^romeo@localhost$/,
  signatureInUrl: false,
  identifiesUsers: true,
  expiresAfterDays: 7,
});
