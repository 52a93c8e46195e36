#!/bin/sh
# Runs as root inside a clean Debian that systemd has booted, without Node.js and without network beyond loopback:
#
#   inside.sh deb FILE | tarball FILE
#
# Installs Porter, uploads a file, upgrades, breaks it on purpose, removes it. The last line is PASSED, or the step that failed.
set -eu
kind=$1
package=$2
base=http://127.0.0.1:5050
config=/etc/porter/porter.yml
step=start
trap 'if [ $? = 0 ]; then echo PASSED; else echo "FAILED in: $step"; journalctl -u porter -n 40 --no-pager || true; fi' EXIT

begin() {
  step=$1
  echo "== $1"
}
# `set -e` ignores a command behind `!`.
fails() { if "$@"; then return 1; fi; }
main_pid() { systemctl show -P MainPID porter; }

install_package() {
  if [ "$kind" = deb ]; then
    dpkg -i "$package"
  else
    rm -rf /tmp/unpacked
    mkdir /tmp/unpacked
    tar -xzf "$package" -C /tmp/unpacked
    sh /tmp/unpacked/*/install.sh
  fi
}

write_config() {
  cat > $config << 'YAML'
listen: 127.0.0.1:5050
public_url: http://127.0.0.1:5050
storage: {blobs: /var/lib/porter/blobs, ledger: /var/lib/porter/porter.db}
slot_api: {allow_from: [127.0.0.0/8]}
access: [{jid: '@localhost$', max_file_size: 10 MiB}]
YAML
}

upload() {
  slot=$(curl -sf "$base/slot/?jid=me@localhost&name=hello.txt&size=13&content_type=text/plain")
  curl -sf -H 'Content-Type: text/plain' -X PUT --data-binary 'Hello, world!' "$(echo "$slot" | head -n 1)" > /dev/null
  link=$(echo "$slot" | tail -n 1)
}
download() { [ "$(curl -sf "$link")" = 'Hello, world!' ]; }

begin 'the system has no Node.js and no network'
fails command -v node
[ "$(ls /sys/class/net)" = lo ]
# The tarball brings its own.
if [ "$kind" = tarball ]; then rm -f /usr/lib/*/libatomic.so.1*; fi

begin 'installation starts the service'
install_package
systemctl is-active porter
systemctl is-enabled porter
[ "$(stat -c '%a %U %G' $config)" = '640 root porter' ]
[ "$(stat -c '%a %U %G' /var/lib/porter)" = '750 porter porter' ]
[ "$(stat -c %U /proc/"$(main_pid)")" = porter ]
[ "$(porter --version)" = "$EXPECTED_VERSION" ]
grep -q 'ledger: /var/lib/porter/porter.db' $config

begin 'first upload'
write_config
systemctl restart porter
upload
download
porter health -c $config

if [ "$kind" = deb ]; then
  begin 'a command of root runs as the user porter'
  porter uploads --json | grep -q hello.txt
  [ -z "$(find /var/lib/porter ! -user porter)" ]
fi

begin 'init with --force writes a config that the service can read'
PORTER_CONFIG=$config porter init --for prosody --domain example.org --force > /dev/null
[ "$(stat -c '%a %U %G' $config)" = '640 root porter' ]
systemctl restart porter
write_config
systemctl restart porter

begin 'reload'
pid=$(main_pid)
systemctl reload porter
[ "$(main_pid)" = "$pid" ]
download

begin 'upgrade keeps config and files'
sum=$(sha256sum $config)
install_package
[ "$(sha256sum $config)" = "$sum" ]
systemctl is-active porter
download

begin 'the watchdog restarts a hung process'
mkdir -p /run/systemd/system/porter.service.d
printf '[Service]\nWatchdogSec=4\n' > /run/systemd/system/porter.service.d/test.conf
systemctl daemon-reload
systemctl restart porter
pid=$(main_pid)
kill -STOP "$pid"
tries=0
while [ "$(main_pid)" = "$pid" ] || ! systemctl -q is-active porter; do
  tries=$((tries + 1))
  [ $tries -lt 300 ]
  sleep 1
done
download
rm -r /run/systemd/system/porter.service.d
systemctl daemon-reload

begin 'a secret that only root can read'
install -m 600 /dev/null /root/component-secret
echo s3cret > /root/component-secret
mkdir -p /etc/systemd/system/porter.service.d
printf '[Service]\nLoadCredential=component-secret:/root/component-secret\n' > /etc/systemd/system/porter.service.d/secret.conf
# shellcheck disable=SC2016
echo 'component: {jid: upload.localhost, secret_file: "${CREDENTIALS_DIRECTORY}/component-secret", server: 127.0.0.1:5347}' >> $config
systemctl daemon-reload
systemctl restart porter
systemctl is-active porter
rm -r /etc/systemd/system/porter.service.d
write_config
systemctl daemon-reload

begin 'a wrong config stops the service, without a loop of restarts'
echo 'lisen: 5050' >> $config
fails systemctl reload porter
download
fails systemctl restart porter
[ "$(systemctl show -P ActiveState porter)" = failed ]
write_config
systemctl reset-failed porter
systemctl start porter
download

begin 'removal keeps config and files'
if [ "$kind" = deb ]; then dpkg -r xmpp-porter; else /opt/porter/install.sh --uninstall; fi
fails systemctl -q is-active porter
[ ! -e /usr/bin/porter ] && [ ! -e /usr/local/bin/porter ]
[ -e $config ] && [ -e /var/lib/porter/porter.db ]

begin 'a new installation serves the old files'
install_package
systemctl is-active porter
download

if [ "$kind" = deb ]; then
  begin 'purge removes the config and says where the files are'
  dpkg -P xmpp-porter | grep 'rm -r /var/lib/porter'
  [ ! -e /etc/porter ] && [ ! -e /usr/lib/porter ] && [ -e /var/lib/porter/porter.db ]
fi
step=
