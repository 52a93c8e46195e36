-- Killed processes. They may have written small files that no upload has, because a small file is written before its transaction. The
-- sweep looks for files with these tags, deletes them, and then deletes the row.
create table dead_writers (
  -- the tag in the keys of the files (base/blob-keys.ts)
  tag text primary key
);
