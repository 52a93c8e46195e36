-- Owners, uploads and quotas. The same text for SQLite and PostgreSQL. Times are milliseconds since 1970, sizes are bytes.
-- 0006_plain_names.sql renames several tables and columns.

-- Owners and the counters of their quotas. The row of an owner is locked while its quota is charged.
create table owners (
  id integer primary key,
  name text not null unique,
  -- hex SHA-1 of the name, as in the paths of ejabberd
  sha1 text not null,
  uploads bigint not null default 0,
  bytes bigint not null default 0,
  pending_uploads bigint not null default 0,
  pending_bytes bigint not null default 0,
  last_upload_at bigint
);
create index owners_sha1 on owners (sha1);
create index owners_bytes on owners (bytes, id);

-- Bytes of an owner by purpose. Uploads without a purpose are counted only in owners.
create table owner_purposes (
  owner_id integer not null,
  purpose text not null,
  bytes bigint not null,
  pending_bytes bigint not null,
  primary key (owner_id, purpose)
);

-- Totals of all owners, spread over 16 rows, so that transactions of different owners rarely wait for each other.
create table totals (
  shard integer primary key,
  owners bigint not null default 0,
  removals bigint not null default 0,
  uploads bigint not null default 0,
  bytes bigint not null default 0,
  pending_uploads bigint not null default 0,
  pending_bytes bigint not null default 0
);
insert into totals (shard) values
  (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11), (12), (13), (14), (15);

-- Slots and the files that were stored with them.
create table uploads (
  id text primary key,
  -- null if the id is the locator, which saves an index entry for each slot that Porter grants
  locator text,
  put_key text,
  owner_id integer not null,
  door text not null,
  purpose text not null,
  name text not null,
  type text not null,
  size bigint not null,
  -- issued, receiving, stored
  state text not null,
  blob text not null,
  created_at bigint not null,
  deadline bigint not null,
  stored_at bigint,
  expires_at bigint,
  -- the claim of the PUT, its process, and the time of the claim
  claim text,
  instance text,
  claimed_at bigint,
  -- 1 after a PUT has begun: the blob store may have bytes under this key
  touched smallint not null,
  -- 1 if the upload was reserved together with its claim: without the claim, the row has no use
  claimed_with smallint not null,
  -- widths of the rate buckets to which it was charged, separated by commas
  rated text not null
);
create unique index uploads_locator on uploads (locator) where locator is not null;
create unique index uploads_put_key on uploads (put_key) where put_key is not null;
create index uploads_owner on uploads (owner_id, id);
create index uploads_pending on uploads (id) where state <> 'stored';
create index uploads_issued on uploads (deadline) where state = 'issued';
create index uploads_owner_issued on uploads (owner_id, deadline) where state = 'issued';
create index uploads_receiving on uploads (claimed_at) where state = 'receiving';
create index uploads_stored on uploads (purpose, stored_at) where state = 'stored';
create index uploads_owner_stored on uploads (owner_id, purpose, stored_at) where state = 'stored';
create index uploads_expiring on uploads (expires_at) where state = 'stored' and expires_at is not null;
create index uploads_owner_expiring on uploads (owner_id, expires_at)
  where state = 'stored' and expires_at is not null;

-- Recent uploads and bytes of an owner, in buckets of 1/64 of the limited period.
create table rates (
  owner_id integer not null,
  width bigint not null,
  start_at bigint not null,
  last_at bigint not null,
  ends_at bigint not null,
  uploads bigint not null,
  bytes bigint not null,
  primary key (owner_id, width, start_at)
);
create index rates_ends on rates (ends_at);

-- Records of removed uploads.
create table removals (
  locator text not null,
  removed_at bigint not null,
  id text not null,
  -- null after the owner was forgotten
  owner_id integer,
  door text not null,
  name text not null,
  size bigint not null,
  stored smallint not null,
  created_at bigint not null,
  reason text not null,
  detail text not null,
  -- 1 if the locator is a signed link, which must not be filled again. Such a record is kept without limit.
  tombstone smallint not null,
  primary key (locator, removed_at, id)
);
create index removals_at on removals (removed_at, locator);
create index removals_owner on removals (owner_id, removed_at, locator);
create index removals_reason on removals (reason, removed_at, locator);
create index removals_records on removals (removed_at) where tombstone = 0;

-- Keys of blobs that no upload has any more and whose bytes may still be in the blob store.
create table doomed (
  blob text primary key
);

-- Processes that hold claims.
create table instances (
  id text primary key,
  host text not null,
  pid integer not null,
  seen_at bigint not null
);
