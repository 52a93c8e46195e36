-- The web page: sessions, tokens, sign-in links, guest links, the trash, and the audit log. Secrets are stored as hex SHA-256. JIDs are
-- bare.

create table web_sessions (
  secret_hash text primary key,
  jid text not null,
  -- User-Agent of the browser
  client text not null,
  created_at bigint not null,
  last_used_at bigint not null,
  expires_at bigint not null
);
create index web_sessions_jid on web_sessions (jid);
create index web_sessions_expiry on web_sessions (expires_at);

create table web_tokens (
  id text primary key,
  secret_hash text not null,
  jid text not null,
  name text not null,
  -- separated by spaces
  scopes text not null,
  created_at bigint not null,
  last_used_at bigint,
  -- null: until it is revoked
  expires_at bigint
);
create unique index web_tokens_secret on web_tokens (secret_hash);
create index web_tokens_jid on web_tokens (jid, id);

-- A one-time code that was sent to an account. Each browser has at most one.
create table sign_in_links (
  browser_hash text primary key,
  code_hash text not null,
  jid text not null,
  -- wrong codes so far
  attempts integer not null,
  expires_at bigint not null
);
create index sign_in_links_jid on sign_in_links (jid);
create index sign_in_links_expiry on sign_in_links (expires_at);

-- Links by which a person without an account sends files to jid.
create table guest_links (
  id text primary key,
  secret_hash text not null,
  jid text not null,
  note text not null,
  -- null: no limit besides the quota of jid
  max_bytes bigint,
  max_files bigint,
  used_bytes bigint not null,
  used_files bigint not null,
  created_at bigint not null,
  expires_at bigint not null
);
create unique index guest_links_secret on guest_links (secret_hash);
create index guest_links_jid on guest_links (jid, id);
create index guest_links_expiry on guest_links (expires_at);

-- Removed files that can be restored until purge_at. Their rows in uploads are deleted, their bytes are kept, and they count towards no
-- quota. The columns are those of uploads.
create table trash (
  id text primary key,
  locator text,
  owner_id integer not null,
  endpoint text not null,
  purpose text not null,
  name text not null,
  type text not null,
  size bigint not null,
  blob text not null,
  created_at bigint not null,
  deadline bigint not null,
  stored_at bigint not null,
  expires_at bigint,
  removed_at bigint not null,
  removed_by text not null,
  purge_at bigint not null
);
create index trash_owner on trash (owner_id, removed_at, id);
create index trash_removed on trash (removed_at, id);
create index trash_purge on trash (purge_at);

-- Audit log: files that were removed or restored, and settings that were changed, through the page and its API.
create table audit (
  -- a time-ordered id
  id text primary key,
  at bigint not null,
  -- '' after the person was forgotten, as in subject
  actor text not null,
  address text not null,
  action text not null,
  -- the owner of the files, or another object of the action
  subject text not null,
  files bigint not null,
  bytes bigint not null
);
create index audit_actor on audit (actor);
create index audit_subject on audit (subject);
create index audit_at on audit (at);

-- The largest files of all users. Small files are left out, so that most uploads have no entry in this index.
create index uploads_large on uploads (size, id) where state = 'stored' and size >= 1048576;

-- Number and bytes of the stored files at the beginning of each hour, for charts and the forecast of a full disk.
create table usage_history (
  -- the beginning of the hour
  at bigint primary key,
  files bigint not null,
  bytes bigint not null
);
