-- Resumable uploads (docs/resumable-uploads.md). While no request writes to it, such an upload is in the state issued, and `blob` is
-- the key of the bytes that have arrived so far.

-- Hex SHA-256 of the secret in the URL of the upload resource; null for every other upload.
alter table uploads add column resource_key text;
-- Number of durable bytes: the offset at which the client continues.
alter table uploads add column received bigint;
-- 1 if another request wants the running one to stop.
alter table uploads add column stop_requested smallint not null default 0;
create unique index uploads_resource on uploads (resource_key) where resource_key is not null;
