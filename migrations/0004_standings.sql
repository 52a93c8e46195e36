-- The allowed use of this ledger while `porter move` copies it. Without a row, everything is allowed.
create table standings (
  -- closing: running uploads may end. away: no use any more. arriving: only the move may write.
  standing text primary key
);
