import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../release/run.ts';
import { unpackImage } from '../release/unpack.ts';

/**
 * Unpacks an image and runs it with an unknown user id and a read-only root. Tests that it serves, becomes healthy, stores a file and
 * writes a backup. Only `checkReleaseBinaries` checks the other architecture.
 */
export function testImage(archive: string, work: string): boolean {
  rmSync(work, { recursive: true, force: true });
  const native = unpackImage(archive, work).find(({ architecture }) => architecture === 'amd64');
  const ok = native !== undefined && runImage(native.folder);
  rmSync(work, { recursive: true, force: true });
  return ok;
}

const CONFIG = `listen: 0.0.0.0:5051
storage: {blobs: /data/blobs, ledger: /data/porter.db}
public_url: http://127.0.0.1:5051
slot_api: {allow_from: [127.0.0.0/8], token_file: /run/secrets/slot-token}
access: [{jid: '@localhost$', max_file_size: 10 MiB}]
web: {path: /web/}
thumbnails: true
`;

/** The test, in separate namespaces: the root file system is mounted read-only, /data and /tmp are tmpfs, the network is loopback. */
const INSIDE = `
set -e
root=$1
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/data"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir "$root/run/secrets"
echo token-of-the-test > "$root/run/secrets/slot-token"
mount -t proc proc "$root/proc" 2> /dev/null || true
mount -o remount,bind,ro "$root"
ip link set lo up
run() { chroot --userspec=12345:54321 --groups= "$root" /usr/bin/porter "$@"; }
export PORTER_CONFIG=/etc/porter/porter.yml HOME=/data
run check
chroot --userspec=12345:54321 --groups= "$root" /usr/lib/porter/bin/node -e '
  require(process.argv[1])({ create: { width: 900, height: 900, channels: 3, background: "red" } }).png().toFile("/tmp/red.png")
' /usr/lib/porter/app/node_modules/sharp
run serve &
server=$!
trap 'kill $server' EXIT
until run health; do kill -0 $server; sleep 1; done
base=http://127.0.0.1:5051
ask() { curl -s -H "Authorization: Bearer $1" "$base/slot/?jid=me@localhost&name=a.txt&size=5&content_type=text/plain"; }
if ask wrong | grep -q /upload; then exit 1; fi
slot=$(ask token-of-the-test)
curl -sf -H 'Content-Type: text/plain' -X PUT --data-binary 'Hello' "$(echo "$slot" | head -n 1)" > /dev/null
[ "$(curl -sf "$(echo "$slot" | tail -n 1)")" = Hello ]
size=$(stat -c %s "$root/tmp/red.png")
slot=$(curl -s -H "Authorization: Bearer token-of-the-test" "$base/slot/?jid=me@localhost&name=red.png&size=$size&content_type=image/png")
curl -sf -H 'Content-Type: image/png' -T "$root/tmp/red.png" "$(echo "$slot" | head -n 1)" > /dev/null
[ "$(curl -sf "$(echo "$slot" | tail -n 1)?thumb=320" | head -c 4)" = RIFF ]
curl -sf "$base/web/" | grep -q '<script'
[ "$(stat -c %u "$root/data/porter.db")" = 12345 ]
run backup /data/backup.db --with-files
[ -e "$root/data/backup.db" ]
if touch "$root/usr/x" 2> /dev/null; then exit 1; fi
echo IMAGE WORKS
`;

function runImage(root: string): boolean {
  writeFileSync(join(root, 'etc/porter/porter.yml'), CONFIG);
  run('mkdir', ['-p', join(root, 'proc'), join(root, 'dev'), join(root, 'run')]);
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', '--net', '--pid', '--fork', 'sh', '-c', INSIDE, 'sh', root],
    {
      encoding: 'utf8',
      timeout: 600_000,
    },
  );
  const ok = stdout.includes('IMAGE WORKS');
  if (!ok) console.log(stdout, stderr);
  return ok;
}
