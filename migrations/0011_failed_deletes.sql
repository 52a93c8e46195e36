-- A blob that cannot be deleted is tried again later, and does not keep others from being deleted.

-- How often the deletion of this blob was begun.
alter table pending_deletes add column attempts integer not null default 0;
-- When the next attempt is due: 0 before the first failure.
alter table pending_deletes add column retry_at bigint not null default 0;
-- Why the last attempt failed.
alter table pending_deletes add column last_error text;
create index pending_deletes_due on pending_deletes (retry_at);
