-- The machine of a process. Empty: unknown (an earlier version, or a system without these ids).
alter table instances add column machine_id text not null default '';
alter table instances add column boot_id text not null default '';
alter table instances add column pid_namespace text not null default '';
-- Milliseconds by which the clock of the database is ahead of the clock of the process. Null: not measured yet.
alter table instances add column clock_skew_ms bigint;
