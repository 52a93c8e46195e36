-- Refused slot requests and PUTs of the last day, for `porter why`. One row counts equal refusals. The numbers of rows per owner and in
-- total are bounded (src/ledger/sql/refusals.ts).
create table refusals (
  owner text not null,
  endpoint text not null,
  code text not null,
  -- '' for a refused slot request
  upload_id text not null,
  -- 1 if no access rule allows uploads of the owner. Clients can invent any number of such JIDs, so these rows have a separate bound.
  is_denied smallint not null,
  -- number of refusals since first_at
  times bigint not null,
  first_at bigint not null,
  last_at bigint not null,
  -- text and file of the last refusal; size is null if unknown
  text text not null,
  name text not null,
  size bigint,
  primary key (owner, endpoint, code, upload_id)
);
create index refusals_last_at on refusals (is_denied, last_at);
