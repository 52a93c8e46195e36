const FROM_ENVIRONMENT = `\${PORTER_COMPONENT_SECRET}`;

/** The example at the top of the reference page. A test checks it against the schema. */
export const EXAMPLE_CONFIG = String.raw`
listen: 127.0.0.1:5050                    # or a list; unix:/run/porter/porter.sock
public_url: https://upload.example.org    # may have a path
download_url: https://files.example.org   # only if clients fetch files from another URL
tls: {cert: cert.pem, key: key.pem}       # only without a web server in front
trusted_proxies: [127.0.0.0/8, "::1"]     # their X-Forwarded-* headers are trusted
workers: 1                                # or auto

storage:
  blobs: ./data/blobs                     # or s3://bucket/prefix?endpoint=…
  ledger: ./data/porter.db                # or postgres://…
  sync: true                              # a finished upload survives a power cut

component:                                # any XMPP server, as an external component
  jid: upload.example.org
  secret: ${FROM_ENVIRONMENT}
  server: 127.0.0.1:5347
  name: HTTP File Upload
slot_api:                                 # ejabberd service_url, django-xmpp-http-upload
  path: /slot/
  allow_from: [127.0.0.0/8, "::1"]
  token_file: secrets/slot-api-token
external:                                 # links signed by the XMPP server
  path: /upload/
  secret: [the-new-secret-of-today, the-old-one-of-yesterday]
  delete_secret: another-long-secret
  max_file_size: 100 MiB
file_share:                               # Prosody http_file_share
  path: /file_share/
  secret: yet-another-long-secret

access:                                   # the first rule that matches decides; no match = denied
  - jid: '^admin@example\.org$'           # no limits
  - jid: ['@example\.org$', '@example\.net$']
    max_file_size: 100 MiB
    max_total_size: 1 GiB
    bytes_per: {period: 1h, bytes: 100 MiB}
    uploads_per: {period: 1h, uploads: 30}
    allowed_types: [image/*, video/*]
    when_full: evict
  - jid: '.*'
    deny: true
global_quota: 500 GiB                     # all users together

slots: {timeout: 360s}
uploads: {type_mismatch: refuse, idle_timeout: 60s}
retention:
  max_age: 30d
  soft_quota: 500 MiB
  sweep_every: 1h
  keep_records: 365d
  purposes:
    profile: {max_age: never, max_file_size: 2 MiB, max_total_size: 20 MiB}
    ephemeral: {max_age: 7d}
    permanent: {max_age: never, max_total_size: 200 MiB}
  name_prefixes: {chat_: message, story_: ephemeral, blog_: permanent}
downloads:
  via: self
  inline_types: [image/*, video/*, audio/*, text/plain]
  headers: {X-Robots-Tag: noindex}

messages:                                 # HTTP to XMPP
  path: /msg/
  rest_path: /rest
  server: 127.0.0.1:5222
  require_tls: true
  tokens:
    - {token: a-long-token-for-alerts, from: alerts@upload.example.org, to: ['@example\.org$']}
  callback_url: https://bot.example.org/stanzas

web:                                      # the web page, and the admins of Porter
  path: /web/
  admins: [admin@example.org]             # see and do everything
  moderators: [helper@example.org]        # see and remove files, nothing else
  contact: mailto:abuse@example.org       # where users report abuse
  token_file: secrets/web-token           # for scripts
  title: Files of example.org
metrics: {path: /metrics, allow_from: [127.0.0.0/8]}
log: {level: info, format: json}
`;
