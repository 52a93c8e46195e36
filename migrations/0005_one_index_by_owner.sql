-- An owner's uploads lie in one random place each, not two: what is stored by purpose and age, which is the order of the
-- ids; what is pending apart from it, where there is little.
create index uploads_owner_purpose on uploads (owner_id, purpose, id) where state = 'stored';
create index uploads_owner_pending on uploads (owner_id, id) where state <> 'stored';
drop index uploads_owner;
drop index uploads_owner_stored;
