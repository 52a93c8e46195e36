-- Where links of services that were taken over begin, so that they go on working without any config.
create table old_paths (
  -- with a slash at either end
  path text primary key,
  -- what the locators of the files below it start with: the name of a door
  namespace text not null
);
