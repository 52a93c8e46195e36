-- Random id that this ledger and its blob store share. At most one row.
create table store_identity (
  one_row integer primary key,
  id text not null,
  -- 1 after the marker with this id was written to the blob store
  is_marked smallint not null
);

-- Blobs that `porter import` is writing. Written before the first byte, deleted with the row of the upload.
create table import_intents (
  -- id of the upload that will be inserted
  id text primary key,
  blob text not null,
  started_at bigint not null
);
create index import_intents_blob on import_intents (blob);
