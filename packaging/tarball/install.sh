#!/bin/sh
# Installs Porter from this folder, or removes it. Run as root:
#
#   ./install.sh                 # program to /opt/porter, config to /etc/porter, data to /var/lib/porter
#   ./install.sh --uninstall     # removes the program and the service; keeps config and data
#
# Running it again upgrades: the program is replaced, config and data stay. --prefix DIR replaces /opt.
set -eu

prefix=/opt
action=install
while [ $# -gt 0 ]; do
  case $1 in
    --prefix) prefix=${2:?--prefix needs a folder}; shift ;;
    --uninstall) action=uninstall ;;
    *) echo "install.sh: unknown option $1. Options: --prefix DIR, --uninstall" >&2; exit 2 ;;
  esac
  shift
done
case $prefix in
  /*) ;;
  *) echo "install.sh: --prefix needs an absolute path, not $prefix" >&2; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then
  echo "install.sh: run it as root. To try Porter without installing it: $(dirname "$0")/bin/porter serve" >&2
  exit 1
fi

here=$(dirname "$(readlink -f "$0")")
home=$prefix/porter
config=/etc/porter/porter.yml
unit=/etc/systemd/system/porter.service
running() { [ -d /run/systemd/system ]; }

# Links below /usr/local, by the file in the tarball.
links='bin/porter:/usr/local/bin/porter
share/man/man1/porter.1:/usr/local/share/man/man1/porter.1
share/man/man5/porter.yml.5:/usr/local/share/man/man5/porter.yml.5
share/bash-completion/completions/porter:/usr/local/share/bash-completion/completions/porter
share/zsh/vendor-completions/_porter:/usr/local/share/zsh/site-functions/_porter
share/fish/vendor_completions.d/porter.fish:/usr/local/share/fish/vendor_completions.d/porter.fish'

if [ "$action" = uninstall ]; then
  if running; then systemctl disable --now porter.service || true; fi
  rm -f "$unit"
  if running; then systemctl daemon-reload; fi
  for link in $links; do
    if [ "$(readlink "${link#*:}")" = "$home/${link%%:*}" ]; then rm -f "${link#*:}"; fi
  done
  rm -rf "$home"
  echo "Porter is removed. Kept: /etc/porter, /var/lib/porter and the user porter."
  exit 0
fi

if ! "$here/bin/porter" --version > /dev/null; then
  echo "install.sh: the program does not run on this system. It needs Linux with glibc 2.28 or later, and libstdc++." >&2
  exit 1
fi
if ! getent passwd porter > /dev/null; then
  useradd --system --user-group --home-dir /var/lib/porter --no-create-home --shell /usr/sbin/nologin porter
fi
install -d -m 0750 -o porter -g porter /var/lib/porter
install -d -m 0750 -o root -g porter /etc/porter

# Copies the whole new program before it replaces the old one.
if [ "$here" != "$home" ]; then
  rm -rf "$home.new" "$home.old"
  install -d -m 0755 "$prefix"
  cp -R "$here" "$home.new"
  chown -R root:root "$home.new"
  if [ -e "$home" ]; then mv "$home" "$home.old"; fi
  mv "$home.new" "$home"
  rm -rf "$home.old"
fi
for link in $links; do
  install -d -m 0755 "$(dirname "${link#*:}")"
  ln -sf "$home/${link%%:*}" "${link#*:}"
done

if [ ! -e "$config" ]; then
  PORTER_CONFIG=$config "$home/bin/porter" init > /dev/null
  chown root:porter "$config"
  chmod 0640 "$config"
fi
if [ -d /etc/systemd/system ]; then
  sed "s|/usr/bin/porter|$home/bin/porter|" "$home/contrib/systemd/porter.service" > "$unit"
fi
if running; then
  systemctl daemon-reload
  systemctl enable --quiet porter.service
  systemctl restart porter.service
fi
cat << TEXT
Porter $(cat "$home/VERSION") is installed in $home. Connect it to your XMPP server:
  PORTER_CONFIG=$config porter init --for prosody --domain example.org --force    # or --for ejabberd
  systemctl restart porter
  sudo -u porter porter doctor -c $config
TEXT
