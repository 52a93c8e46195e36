-- Each upload has an entry in one index by owner instead of two: stored uploads by purpose and id, which is the order of their age, and
-- pending uploads, which are few, in a separate index.
create index uploads_owner_purpose on uploads (owner_id, purpose, id) where state = 'stored';
create index uploads_owner_pending on uploads (owner_id, id) where state <> 'stored';
drop index uploads_owner;
drop index uploads_owner_stored;
