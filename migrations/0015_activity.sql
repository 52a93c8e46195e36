-- Figures that the web page shows without Prometheus: requests per day, the last sweeps, and the last call of each hook.

create table daily_counts (
  -- the beginning of the day in UTC
  day bigint primary key,
  uploads bigint not null,
  downloads bigint not null,
  refusals bigint not null
);

-- The latest sweeps; their number is bounded (src/ledger/sql/web/activity.ts).
create table sweep_runs (
  -- a time-ordered id
  id text primary key,
  started_at bigint not null,
  duration_ms bigint not null,
  -- uploads and slots that were removed, by reason, and the bytes of the uploads
  unused bigint not null,
  expired bigint not null,
  soft_quota bigint not null,
  bytes bigint not null,
  dead_claims bigint not null,
  records bigint not null
);

create table hook_calls (
  -- the name in the config
  hook text primary key,
  at bigint not null,
  -- HTTP status of the answer
  status integer not null,
  -- network address and User-Agent of the client
  address text not null,
  program text not null,
  -- text of the refusal, '' after success
  refusal text not null
);
create index hook_calls_at on hook_calls (at);
