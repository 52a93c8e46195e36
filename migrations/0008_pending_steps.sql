-- Steps of migrations that run in small transactions when the ledger is opened. A step deletes its row when it is done.
create table pending_steps (
  -- normalize_owners: see src/ledger/sql/normalize-owners.ts
  step text primary key
);
insert into pending_steps (step) values ('normalize_owners');
