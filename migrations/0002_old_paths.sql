-- Paths at which the links of imported services begin, so that these links work without any config.
create table old_paths (
  -- with a slash at both ends
  path text primary key,
  -- the first part of the locators of the files below this path: the name of an endpoint
  namespace text not null
);
