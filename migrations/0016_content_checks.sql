-- The content of files: the scan for malware, and hashes by which files are blocked.

-- Hex SHA-256 of the file; null: not computed.
alter table uploads add column sha256 text;
-- 'clean', or why the file was not scanned: 'unavailable', 'too_large'. null: it was stored while scanning was off.
alter table uploads add column scan text;
alter table trash add column sha256 text;
alter table trash add column scan text;
create index uploads_sha256 on uploads (sha256) where sha256 is not null;
create index uploads_unscanned on uploads (id) where scan in ('unavailable', 'too_large');

-- Infected files, which were never stored. Their columns are those of uploads.
create table quarantine (
  id text primary key,
  locator text not null,
  put_key text,
  -- the name of the owner, not its id, because the owner may have no row in owners
  owner text not null,
  endpoint text not null,
  purpose text not null,
  name text not null,
  type text not null,
  size bigint not null,
  -- null: the bytes are not kept
  blob text,
  created_at bigint not null,
  deadline bigint not null,
  expires_at bigint,
  sha256 text,
  -- the name of the malware that the scanner has found
  signature text not null,
  found_at bigint not null,
  purge_at bigint not null
);
create unique index quarantine_locator on quarantine (locator);
create unique index quarantine_put_key on quarantine (put_key);
create index quarantine_owner on quarantine (owner);
create index quarantine_found on quarantine (found_at, id);
create index quarantine_purge on quarantine (purge_at);

-- Files with these hashes are refused.
create table blocked_hashes (
  -- hex SHA-256
  sha256 text primary key,
  reason text not null,
  blocked_by text not null,
  blocked_at bigint not null,
  -- size of the file, for the search for copies. null: unknown
  size bigint
);
create index blocked_hashes_time on blocked_hashes (blocked_at, sha256);
