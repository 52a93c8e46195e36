#!/bin/sh
# Runs Porter from the folder that contains this script, also through a symbolic link.
home=$(dirname "$(dirname "$(readlink -f "$0")")")
# libatomic for systems that lack it.
LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$home/lib/porter/lib"
export LD_LIBRARY_PATH
exec "$home/lib/porter/bin/node" "$home/lib/porter/app/dist/main.js" "$@"
