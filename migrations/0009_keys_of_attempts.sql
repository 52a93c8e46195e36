-- Every PUT writes under a blob key that no other PUT has (base/blob-keys.ts). uploads.blob is the key of the PUT that holds the
-- claim or was stored.

-- With `downloads.via: webserver` the link contains the name of the blob (column blob) before any PUT. This is the key of the bytes from
-- the commit until they have that name.
alter table uploads add column unpublished_blob text;
create index uploads_unpublished on uploads (id) where unpublished_blob is not null;
