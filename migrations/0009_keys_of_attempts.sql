-- Every PUT writes under a blob key that no other PUT has (base/blob-keys.ts). uploads.blob is the key of the PUT that holds the
-- claim or was stored.

-- With `downloads.via: webserver` the link names the blob before any PUT. From the commit until the file has that name (blob),
-- this is the key that the bytes are under.
alter table uploads add column unpublished_blob text;
create index uploads_unpublished on uploads (id) where unpublished_blob is not null;
