-- Renames tables, columns and values to the terms of docs/glossary.md. Both engines only change their catalogs, and rebuild a few indexes
-- of small tables.

-- Endpoint that an upload came through: component, slot_api, external, file_share, messages, admin or import.
alter table uploads rename column door to endpoint;
alter table removals rename column door to endpoint;

-- Random token of the PUT that holds the claim.
alter table uploads rename column claim to claim_token;
-- 1 after a PUT has begun: the blob store may hold bytes under this key.
alter table uploads rename column touched to may_have_bytes;
-- 1 if the upload was reserved together with its claim. Such a row is deleted when its PUT fails.
alter table uploads rename column claimed_with to reserved_by_put;
-- Widths in milliseconds, comma-separated, of the buckets in upload_rates that the upload is charged to.
alter table uploads rename column rated to rate_buckets;
-- 1 if the file was stored, 0 if only its slot was.
alter table removals rename column stored to was_stored;

-- Keys of blobs that remain to be deleted from the blob store.
alter table doomed rename to pending_deletes;

-- Uploads and bytes per owner, in buckets of 1/64 of the limited period.
alter table rates rename to upload_rates;
drop index rates_ends;
create index upload_rates_ends on upload_rates (ends_at);

-- State of `porter move` (closing, moved or importing). No row: open.
alter table standings rename to migration_state;
alter table migration_state rename column standing to state;
update migration_state set state = 'moved' where state = 'away';
update migration_state set state = 'importing' where state = 'arriving';

-- Number of items in the queue.
alter table queues rename column waiting to item_count;

-- Items that wait to be sent. Items with the same queue_key are sent strictly in order.
alter table queued rename to queue_items;
alter table queue_items rename column lane to queue_key;
drop index queued_owner;
create index queue_items_owner on queue_items (owner);

-- One row per queue_key that has items. first_id: its first item; taken_by: the process that is sending this item, until ready_at.
alter table lanes rename to queue_keys;
alter table queue_keys rename column lane to queue_key;
alter table queue_keys rename column head to first_id;
alter table queue_keys rename column holder to taken_by;
drop index lanes_ready;
drop index lanes_holder;
create index queue_keys_ready on queue_keys (queue, ready_at);
create index queue_keys_taken on queue_keys (taken_by) where taken_by is not null;

-- Requests with an Idempotency-Key and their responses. response is null while the request runs.
alter table requests rename to idempotency_keys;
alter table idempotency_keys rename column digest to request_digest;
alter table idempotency_keys rename column answer to response;
alter table idempotency_keys rename column begun_at to started_at;
drop index requests_expiring;
drop index requests_running;
create index idempotency_keys_expiring on idempotency_keys (expires_at);
create index idempotency_keys_running on idempotency_keys (instance) where response is null;
