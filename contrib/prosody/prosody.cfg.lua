-- A small config of Prosody with Porter. `porter init --for prosody --domain example.org` prints the last section,
-- with a new secret. In porter.yml:
--   public_url: https://upload.example.org
--   component: {jid: upload.example.org, secret: "change me", server: 127.0.0.1:5347}

modules_enabled = {
    "disco", "roster", "saslauth", "tls", "dialback",
    "carbons", "csi_simple", "mam", "smacks",
    "blocklist", "bookmarks", "pep", "ping", "vcard4", "vcard_legacy",
    -- without http_file_share and http_upload: Porter replaces them
}
authentication = "internal_hashed"
c2s_require_encryption = true
certificates = "certs"      -- imported and renewed by: prosodyctl --root cert import /etc/letsencrypt/live

VirtualHost "example.org"

Component "upload.example.org"
    component_secret = "change me"
