-- Processes that have died. They may have written files of small uploads that no upload has: such a file is written before its
-- transaction. The sweep looks for files with these tags, deletes them, and drops the row.
create table dead_writers (
  -- the tag in the keys of the files (base/blob-keys.ts)
  tag text primary key
);
