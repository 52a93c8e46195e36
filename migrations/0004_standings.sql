-- What may be done with this ledger while `porter move` carries it to another place. No row: everything.
create table standings (
  -- closing: only what is under way may end; away: nothing any more; arriving: nothing but the move
  standing text primary key
);
