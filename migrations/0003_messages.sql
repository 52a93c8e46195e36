-- What waits to be sent, and what is kept so that no message goes twice or too often.

-- One row for each queue: how much waits in it, and the lock under which its order is made.
create table queues (
  queue text primary key,
  waiting bigint not null default 0,
  last_id bigint not null default 0
);
insert into queues (queue) values ('outbox'), ('callback');

-- What waits. Ids of one queue grow in the order in which things came.
create table queued (
  queue text not null,
  lane text not null,
  id bigint not null,
  -- whose it is: goes with its owner
  owner text not null,
  body text not null,
  queued_at bigint not null,
  give_up_at bigint not null,
  primary key (queue, lane, id)
);
create index queued_owner on queued (owner);

-- A line of things that go strictly one after the other; there while something waits in it.
create table lanes (
  queue text not null,
  lane text not null,
  -- id of the first in it
  head bigint not null,
  -- failed tries of the first
  attempts integer not null,
  -- when the first may be tried next; while somebody has it, when it is no longer theirs
  ready_at bigint not null,
  -- the process that has it
  holder text,
  primary key (queue, lane)
);
create index lanes_ready on lanes (queue, ready_at);
create index lanes_holder on lanes (holder) where holder is not null;

-- Requests that named themselves (Idempotency-Key) and what they were answered.
create table requests (
  owner text not null,
  key text not null,
  -- of what was asked
  digest text not null,
  -- null while it is under way
  answer text,
  instance text not null,
  begun_at bigint not null,
  expires_at bigint not null,
  primary key (owner, key)
);
create index requests_expiring on requests (expires_at);
create index requests_running on requests (instance) where answer is null;

-- What was sent lately under a limit, in buckets of 1/64 of the period that it looks back.
create table message_rates (
  key text not null,
  width bigint not null,
  -- JSON: [start, moment of the last, how many], …
  buckets text not null,
  ends_at bigint not null,
  primary key (key, width)
);
create index message_rates_ends on message_rates (ends_at);
