-- If a blob cannot be deleted, this is tried again later, and other blobs are deleted nevertheless.

-- Number of attempts to delete this blob.
alter table pending_deletes add column attempts integer not null default 0;
-- Time of the next attempt. 0 before the first failure.
alter table pending_deletes add column retry_at bigint not null default 0;
-- Reason why the last attempt failed.
alter table pending_deletes add column last_error text;
create index pending_deletes_due on pending_deletes (retry_at);
