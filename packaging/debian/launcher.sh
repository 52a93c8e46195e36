#!/bin/sh
# The command porter of the package. Without -c and PORTER_CONFIG it uses the config of the service, and runs as the user porter if root
# has started it, because a command of root would create files that the service cannot read.
service=/etc/porter/porter.yml
own_config=${PORTER_CONFIG:-}
PORTER_CONFIG=${PORTER_CONFIG:-$service}
export PORTER_CONFIG
as=
if [ "$(id -u)" = 0 ] && [ -z "${own_config#"$service"}" ] && getent passwd porter > /dev/null; then
  as='setpriv --reuid=porter --regid=porter --init-groups --'
fi
for argument in "$@"; do
  case $argument in
    # These write to /etc/porter, or use another config, whose user only the admin knows.
    init | completion | -c* | --config*) as= ;;
  esac
done
# shellcheck disable=SC2086
exec $as /usr/lib/porter/bin/node /usr/lib/porter/app/dist/main.js "$@"
