#!/bin/sh
# Runs as root inside a clean Debian that systemd has booted, without Node.js and without network beyond loopback:
#
#   inside.sh deb | tarball
#
# Installs /test/previous, uploads files by HTTP and by an XMPP client, upgrades to /test/current, tests backup and restore, a hung process
# and a wrong config, and removes Porter. The last line is PASSED, or the failed step.
set -eu
kind=$1
base=http://127.0.0.1:5050
config=/etc/porter/porter.yml
step=start
trap 'if [ $? = 0 ]; then echo PASSED; else echo "FAILED in: $step"; journalctl -u porter -n 40 --no-pager || true; fi' EXIT

begin() {
  step=$1
  echo "== $1"
}
# For negated commands, because `set -e` ignores a command after `!`.
fails() { if "$@"; then return 1; fi; }
main_pid() { systemctl show -P MainPID porter; }

install_package() {
  if [ "$kind" = deb ]; then
    dpkg -i "/test/$1"
  else
    rm -rf /tmp/unpacked
    mkdir /tmp/unpacked
    tar -xzf "/test/$1" -C /tmp/unpacked
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
web: {path: /web/}
thumbnails: true
YAML
}

upload() {
  slot=$(curl -sf "$base/slot/?jid=me@localhost&name=hello.txt&size=13&content_type=text/plain")
  curl -sf -H 'Content-Type: text/plain' -X PUT --data-binary 'Hello, world!' "$(echo "$slot" | head -n 1)" > /dev/null
  link=$(echo "$slot" | tail -n 1)
}
# Runs a command as the service does.
as_porter() { setpriv --reuid=porter --regid=porter --init-groups "$@"; }
download() { [ "$(curl -sf "$link")" = 'Hello, world!' ]; }

begin 'the system has no Node.js and no network'
fails command -v node
[ "$(ls /sys/class/net)" = lo ]
# The tarball contains libatomic.
if [ "$kind" = tarball ]; then rm -f /usr/lib/*/libatomic.so.1*; fi

begin 'installation starts the service'
install_package previous
systemctl is-active porter
systemctl is-enabled porter
[ "$(stat -c '%a %U %G' $config)" = '640 root porter' ]
[ "$(stat -c '%a %U %G' /var/lib/porter)" = '750 porter porter' ]
[ "$(stat -c %U /proc/"$(main_pid)")" = porter ]
[ "$(porter --version)" = "$PREVIOUS_VERSION" ]
grep -q 'ledger: /var/lib/porter/porter.db' $config

begin 'first upload'
write_config
systemctl restart porter
upload
download
porter health -c $config

begin 'the web page and its script are served'
script=$(curl -sf $base/web/ | grep -o 'assets/page-[^"]*\.js')
[ "$(curl -sf "$base/web/$script" | wc -c)" -gt 10000 ]

if [ "$kind" = deb ]; then
  begin 'a command of root runs as the user porter'
  porter uploads --json | grep -q hello.txt
  porter uploads --json -c $config | grep -q hello.txt
  systemctl stop porter
  (cd /etc/porter && porter fsck --config=porter.yml)
  systemctl start porter
  [ -z "$(find /var/lib/porter ! -user porter)" ]
fi

begin 'a picture gets a thumbnail under the protection of the unit'
if [ "$kind" = deb ]; then lib=/usr/lib/porter; else lib=/opt/porter/lib/porter; fi
as_porter env LD_LIBRARY_PATH="$lib/lib" "$lib/bin/node" -e '
  require(process.argv[1])({ create: { width: 900, height: 900, channels: 3, background: "red" } }).png().toFile("/tmp/red.png")' \
  "$lib/app/node_modules/sharp"
slot=$(curl -sf "$base/slot/?jid=me@localhost&name=red.png&size=$(stat -c %s /tmp/red.png)&content_type=image/png")
curl -sf -H 'Content-Type: image/png' -T /tmp/red.png "$(echo "$slot" | head -n 1)" > /dev/null
curl -sf "$(echo "$slot" | tail -n 1)?thumb=320" > /tmp/thumbnail
[ "$(head -c 4 /tmp/thumbnail)" = RIFF ]

begin 'init with --force writes a config that the service can read'
PORTER_CONFIG=$config porter init --for prosody --domain example.org --force > /tmp/init.txt
[ "$(stat -c '%a %U %G' $config)" = '640 root porter' ]
systemctl restart porter

begin 'an XMPP client uploads a file through Prosody, with the lines that init has printed'
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends /test/xmpp/*.deb > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; false; }
cat > /etc/prosody/conf.d/test.cfg.lua << 'LUA'
VirtualHost "example.org"
    c2s_require_encryption = false
    allow_unencrypted_plain_auth = true
LUA
sed -n '/^Component/,/^$/p' /tmp/init.txt >> /etc/prosody/prosody.cfg.lua
systemctl restart prosody
prosodyctl register romeo example.org secret
sed -i "s|^public_url:.*|public_url: $base|" $config
systemctl restart porter
until porter health -c $config; do sleep 1; done
echo 'Hello from a chat' > /tmp/chat.txt
mkfifo /tmp/commands
python3 /test/client.py romeo@example.org secret 5222 < /tmp/commands > /tmp/answers &
client=$!
exec 3> /tmp/commands
answered() { until grep -q "$1" /tmp/answers; do kill -0 $client; sleep 1; done; }
answered '"online"'
echo '{"do": "discover", "tag": "discover"}' >&3
answered '"tag": "discover"'
grep -q '"jid": "upload.example.org"' /tmp/answers
echo '{"do": "upload", "tag": "upload", "jid": "upload.example.org", "path": "/tmp/chat.txt"}' >&3
answered '"tag": "upload"'
exec 3>&-
cat /tmp/answers
chat_link=$(sed -n 's/.*"get": "\([^"]*\)".*/\1/p' /tmp/answers)
download_chat() { curl -sf "$chat_link" | cmp -s - /tmp/chat.txt; }
download_chat
systemctl stop prosody
write_config
systemctl restart porter

begin 'reload'
pid=$(main_pid)
systemctl reload porter
[ "$(main_pid)" = "$pid" ]
download

begin 'upgrade keeps config and files'
sum=$(sha256sum $config)
install_package current
[ "$(sha256sum $config)" = "$sum" ]
[ "$(porter --version)" = "$VERSION" ]
systemctl is-active porter
download
download_chat

begin 'backup while the service runs, and restore after a loss of all data'
as_porter porter backup /var/lib/porter/backup/porter.db --with-files -c $config
systemctl stop porter
(cd /var/lib/porter && rm -r blobs porter.db*)
as_porter porter restore /var/lib/porter/backup/porter.db -c $config
systemctl start porter
download
download_chat
as_porter porter fsck -c $config

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
systemd-run --pipe --quiet --uid=porter -p LoadCredential=component-secret:/root/component-secret porter users -c $config
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
install_package current
systemctl is-active porter
download
download_chat

if [ "$kind" = deb ]; then
  begin 'purge removes the config and prints where the files are'
  dpkg -P xmpp-porter | grep 'rm -r /var/lib/porter'
  [ ! -e /etc/porter ] && [ ! -e /usr/lib/porter ] && [ -e /var/lib/porter/porter.db ]
fi
step=
