#!/bin/sh
# The command porter of the package. Without -c and PORTER_CONFIG it uses the config of the service. With this config, however it is
# given, the command runs as the user porter if root has started it, because a command of root would create files that the service cannot
# use. With another config it runs as root, because only the admin knows its user.
service=/etc/porter/porter.yml
PORTER_CONFIG=${PORTER_CONFIG:-$service}
export PORTER_CONFIG

config=$PORTER_CONFIG
command=
option=
for argument in "$@"; do
  if [ "$option" = -c ] || [ "$option" = --config ]; then
    config=$argument
    option=
    continue
  fi
  option=$argument
  case $argument in
    -c | --config) ;;
    --config=*) config=${argument#--config=} ;;
    -c*) config=${argument#-c} ;;
    -*) ;;
    *) command=${command:-$argument} ;;
  esac
done

as=
case $command in
  # These need no stores; init writes to /etc/porter.
  init | completion) ;;
  *)
    if [ "$(id -u)" = 0 ] && [ "$(readlink -f -- "$config")" = "$(readlink -f $service)" ] && getent passwd porter > /dev/null; then
      as='setpriv --reuid=porter --regid=porter --init-groups --'
    fi
    ;;
esac
# shellcheck disable=SC2086
exec $as /usr/lib/porter/bin/node /usr/lib/porter/app/dist/main.js "$@"
