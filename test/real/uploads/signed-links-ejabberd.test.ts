import type { CertificateFiles } from '../../support/self-signed-certificate.ts';
import { startEjabberd } from '../peers/ejabberd.ts';
import { SECRET, testSignedLinks } from './signed-links-suite.ts';

const start = (options: (base: string) => object) => (baseUrl: string, tls: CertificateFiles) =>
  startEjabberd({
    tls,
    modules: `  mod_http_upload: ${JSON.stringify({ hosts: ['upload.@HOST@'], access: 'all', ...options(baseUrl) })}`,
  });

/** ejabberd replaces every character except letters, numbers, `_`, `.` and `-` by `_` (docs/protocols.md, "ejabberd"). */
const mangled = (name: string) => name.replace(/[^\p{L}\p{N}_.-]/gu, '_');

testSignedLinks({
  name: "ejabberd's external_secret",
  server: 'ejabberd',
  config: { external: { secret: SECRET } },
  start: start((base) => ({
    put_url: `${base}/upload`,
    get_url: `${base}/upload`,
    external_secret: SECRET,
  })),
  linkPattern: /^https:\/\/localhost:\d+\/upload\/[0-9a-f]{40}\/\w{40}\/[^/]+$/,
  storedName: mangled,
  owner: /^sha1:[0-9a-f]{40}$/,
  signatureInUrl: true,
  identifiesUsers: true,
});
testSignedLinks({
  name: "ejabberd's service_url, asking the slot API",
  server: 'ejabberd',
  config: { slot_api: {} },
  start: start((base) => ({ service_url: `${base}/slot/`, put_url: base, get_url: base })),
  linkPattern: /^https:\/\/localhost:\d+\/files\/[A-Za-z0-9_.\-/]+$/,
  owner: /^romeo@localhost$/,
  signatureInUrl: false,
  identifiesUsers: true,
});
