-- Queued messages, and the records that prevent that a message is sent twice or too often.

-- One row per queue: its number of items. The row is locked while an item gets its id.
create table queues (
  queue text primary key,
  waiting bigint not null default 0,
  last_id bigint not null default 0
);
insert into queues (queue) values ('outbox'), ('callback');

-- Queued items. The ids of a queue grow in the order of arrival.
create table queued (
  queue text not null,
  lane text not null,
  id bigint not null,
  -- the owner: if it is forgotten, the item is deleted
  owner text not null,
  body text not null,
  queued_at bigint not null,
  give_up_at bigint not null,
  primary key (queue, lane, id)
);
create index queued_owner on queued (owner);

-- One row per lane that has items. The items of a lane are sent strictly one after the other.
create table lanes (
  queue text not null,
  lane text not null,
  -- id of the first item
  head bigint not null,
  -- failed attempts to send the first item
  attempts integer not null,
  -- time of the next attempt for the first item. While a process is sending it: time when another process may take it.
  ready_at bigint not null,
  -- the process that is sending the first item
  holder text,
  primary key (queue, lane)
);
create index lanes_ready on lanes (queue, ready_at);
create index lanes_holder on lanes (holder) where holder is not null;

-- Requests with an Idempotency-Key, and their answers.
create table requests (
  owner text not null,
  key text not null,
  -- digest of the request
  digest text not null,
  -- null while the request runs
  answer text,
  instance text not null,
  begun_at bigint not null,
  expires_at bigint not null,
  primary key (owner, key)
);
create index requests_expiring on requests (expires_at);
create index requests_running on requests (instance) where answer is null;

-- Recently sent messages by limit, in buckets of 1/64 of the limited period.
create table message_rates (
  key text not null,
  width bigint not null,
  -- JSON: [start, time of the last message, number of messages], …
  buckets text not null,
  ends_at bigint not null,
  primary key (key, width)
);
create index message_rates_ends on message_rates (ends_at);
