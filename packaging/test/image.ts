import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../release/run.ts';

interface Manifest {
  readonly layers: readonly { readonly digest: string }[];
  readonly config: { readonly digest: string };
  readonly manifests: readonly {
    readonly digest: string;
    readonly platform?: { readonly architecture: string };
  }[];
}

/** The processor of a program, bytes 18 and 19 of its ELF header. */
const ELF_MACHINES: Readonly<Record<string, number>> = { amd64: 0x3e, arm64: 0xb7 };

/**
 * Unpacks an image and runs it as a user id that it does not know, with a read-only root: serves, becomes healthy, stores a file.
 * The other architecture is only inspected.
 */
export function testImage(archive: string, work: string): boolean {
  rmSync(work, { recursive: true, force: true });
  run('mkdir', ['-p', work]);
  run('tar', ['-xf', archive, '-C', work]);
  const readBlob = (digest: string) =>
    JSON.parse(readFileSync(join(work, 'blobs/sha256', digest.replace('sha256:', '')), 'utf8'));
  const top = JSON.parse(readFileSync(join(work, 'index.json'), 'utf8')) as Manifest;
  const index = readBlob(top.manifests[0]?.digest ?? '') as Manifest;
  let ok = true;
  for (const { digest, platform } of index.manifests) {
    const architecture = platform?.architecture ?? '';
    const root = join(work, architecture);
    run('mkdir', ['-p', root]);
    for (const layer of (readBlob(digest) as Manifest).layers) {
      run('tar', ['-xzf', join(work, 'blobs/sha256', layer.digest.replace('sha256:', '')), '-C', root]);
    }
    const machine = readFileSync(join(root, 'usr/lib/porter/bin/node')).readUInt16LE(18);
    console.log(`   ${architecture}: Node.js for ELF machine 0x${machine.toString(16)}`);
    ok &&= machine === ELF_MACHINES[architecture];
  }
  ok &&= runImage(join(work, 'amd64'));
  rmSync(work, { recursive: true, force: true });
  return ok;
}

const CONFIG = `listen: 0.0.0.0:5051
storage: {blobs: /data/blobs, ledger: /data/porter.db}
public_url: http://127.0.0.1:5051
slot_api: {allow_from: [127.0.0.0/8]}
access: [{jid: '@localhost$', max_file_size: 10 MiB}]
`;

/** In separate namespaces: the root file system is mounted read-only, /data and /tmp are tmpfs, the network is loopback. */
const INSIDE = `
set -e
root=$1
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777 tmpfs "$root/data"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t proc proc "$root/proc" 2> /dev/null || true
mount -o remount,bind,ro "$root"
ip link set lo up
run() { chroot --userspec=12345:54321 --groups= "$root" /usr/bin/porter "$@"; }
export PORTER_CONFIG=/etc/porter/porter.yml HOME=/data
run check
run serve &
server=$!
trap 'kill $server' EXIT
until run health; do kill -0 $server; sleep 1; done
slot=$(curl -sf 'http://127.0.0.1:5051/slot/?jid=me@localhost&name=a.txt&size=5&content_type=text/plain')
curl -sf -H 'Content-Type: text/plain' -X PUT --data-binary 'Hello' "$(echo "$slot" | head -n 1)" > /dev/null
[ "$(curl -sf "$(echo "$slot" | tail -n 1)")" = Hello ]
[ "$(stat -c %u "$root/data/porter.db")" = 12345 ]
if touch "$root/usr/x" 2> /dev/null; then exit 1; fi
echo IMAGE WORKS
`;

function runImage(root: string): boolean {
  writeFileSync(join(root, 'etc/porter/porter.yml'), CONFIG);
  run('mkdir', ['-p', join(root, 'proc'), join(root, 'dev')]);
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
