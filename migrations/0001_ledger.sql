-- Who owns what. One text for SQLite and PostgreSQL. Times are milliseconds since 1970, sizes are bytes.

-- An owner and what counts against it; the row is the lock under which its quota is charged.
create table owners (
  id integer primary key,
  name text not null unique,
  -- hex SHA-1 of the name, as ejabberd has it in its paths
  sha1 text not null,
  uploads bigint not null default 0,
  bytes bigint not null default 0,
  pending_uploads bigint not null default 0,
  pending_bytes bigint not null default 0,
  last_upload_at bigint
);
create index owners_sha1 on owners (sha1);
create index owners_bytes on owners (bytes, id);

-- An owner's bytes under each purpose that has a name; what is left of the owner's own has none.
create table owner_purposes (
  owner_id integer not null,
  purpose text not null,
  bytes bigint not null,
  pending_bytes bigint not null,
  primary key (owner_id, purpose)
);

-- Everything together, spread over rows so that owners rarely wait for each other.
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

-- A slot and what became of it.
create table uploads (
  id text primary key,
  -- null where the id is the locator, which spares an index entry for each slot of ours
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
  -- who is receiving it, and since when
  claim text,
  instance text,
  claimed_at bigint,
  -- 1 once a PUT has begun: bytes may lie under its key
  touched smallint not null,
  -- 1 where it was reserved by its PUT itself: without a claim there is nothing to wait for
  claimed_with smallint not null,
  -- widths of the rate buckets it was charged to, with commas between
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

-- What an owner did lately, in buckets of 1/64 of the period that a limit looks back.
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

-- What became of uploads that are no more.
create table removals (
  locator text not null,
  removed_at bigint not null,
  id text not null,
  -- null once its owner is forgotten
  owner_id integer,
  door text not null,
  name text not null,
  size bigint not null,
  stored smallint not null,
  created_at bigint not null,
  reason text not null,
  detail text not null,
  -- 1 where the locator came from outside and must not be filled again: kept for ever
  tombstone smallint not null,
  primary key (locator, removed_at, id)
);
create index removals_at on removals (removed_at, locator);
create index removals_owner on removals (owner_id, removed_at, locator);
create index removals_reason on removals (reason, removed_at, locator);
create index removals_records on removals (removed_at) where tombstone = 0;

-- Keys of blobs whose uploads are gone from `uploads` but whose bytes may still be there.
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
