import { cpSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageJson } from './application.ts';
import { compression, normalizeModes, sourceDateEpoch, writeTar } from './archive.ts';
import { checkBinaries } from './binaries.ts';
import type { PackageInput } from './deb.ts';
import { type DebianPackage, extractDebianPackages, IMAGE_SUITE, statusFileName } from './debian-packages.ts';
import { type Architecture, addNode, architectures } from './node-runtime.ts';
import { digestFile, run } from './run.ts';

/*
 * An image in the format of https://github.com/opencontainers/image-spec. The archive contains index.json, which refers to an image
 * index. The index refers to one manifest per architecture. Each manifest refers to a config and three layers: libraries of Debian,
 * Node.js, Porter.
 */

/** The libraries that Node.js needs. base-files shows the release of Debian to scanners. There is no shell and no package manager. */
const BASE_PACKAGES = ['base-files', 'gcc-14-base', 'libatomic1', 'libc6', 'libgcc-s1', 'libstdc++6'];

const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Layer {
  readonly descriptor: Descriptor;
  /** Digest of the archive before compression. */
  readonly diffId: string;
}

export interface Image {
  readonly file: string;
  /** The Debian packages inside, by architecture, for the SBOM. */
  readonly debianPackages: readonly DebianPackage[];
}

/** Builds `porter-VERSION-oci.tar`, one image for all architectures. */
export async function buildImage(input: PackageInput): Promise<Image> {
  const layout = join(input.work, 'oci');
  rmSync(layout, { recursive: true, force: true });
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const manifests = [];
  const found: DebianPackage[] = [];
  for (const architecture of Object.keys(architectures) as Architecture[]) {
    const { manifest, packages } = await addArchitecture(layout, input, architecture);
    manifests.push({ ...manifest, platform: { architecture, os: 'linux' } });
    found.push(...packages);
  }
  const index = addJson(layout, MEDIA.index, { schemaVersion: 2, mediaType: MEDIA.index, manifests });
  const annotations = { 'org.opencontainers.image.ref.name': packageJson.version };
  writeFileSync(
    join(layout, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...index, annotations }] }),
  );
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  normalizeModes(layout);
  const file = join(input.out, `porter-${packageJson.version}-oci.tar`);
  writeTar(file, layout);
  rmSync(layout, { recursive: true });
  return { file, debianPackages: found };
}

async function addArchitecture(layout: string, input: PackageInput, architecture: Architecture) {
  const { applications, cache, work } = input;
  const root = join(work, `layer-${architecture}`);
  const packages = extractDebianPackages({
    cache,
    suite: IMAGE_SUITE,
    architecture,
    names: BASE_PACKAGES,
    root,
  });
  trimBase(root, packages);
  const base = await addLayer(layout, work, root, architecture);

  rmSync(root, { recursive: true });
  await addNode(cache, architecture, join(root, 'usr/lib/porter/bin'));
  const node = await addLayer(layout, work, root, architecture);

  rmSync(root, { recursive: true });
  addApplication(root, applications[architecture]);
  const porter = await addLayer(layout, work, root, architecture, ['data']);
  rmSync(root, { recursive: true });

  const layers = [base, node, porter];
  const created = new Date(sourceDateEpoch() * 1000).toISOString();
  const config = addJson(layout, MEDIA.config, {
    architecture,
    os: 'linux',
    created,
    config: IMAGE_CONFIG,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: ['libraries of Debian', 'Node.js', 'Porter'].map((comment) => ({ created, comment })),
  });
  const manifest = addJson(layout, MEDIA.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config,
    layers: layers.map(({ descriptor }) => descriptor),
  });
  return { manifest, packages };
}

/**
 * `Healthcheck` is an extension of Docker. `PORTER_CONFIG` and `/data` are the paths in docs/installing.md. Any user id works, because
 * the user needs no entry in /etc/passwd, and Porter writes only to /data.
 */
const IMAGE_CONFIG = {
  User: '1000:1000',
  Env: [
    'PATH=/usr/local/bin:/usr/bin:/bin',
    'NODE_ENV=production',
    'PORTER_CONFIG=/etc/porter/porter.yml',
    'HOME=/data',
  ],
  Entrypoint: ['porter'],
  Cmd: ['serve'],
  WorkingDir: '/data',
  Volumes: { '/data': {} },
  ExposedPorts: { '5050/tcp': {} },
  StopSignal: 'SIGTERM',
  Healthcheck: {
    Test: ['CMD', 'porter', 'health'],
    Interval: 30e9,
    Timeout: 15e9,
    StartPeriod: 60e9,
    Retries: 3,
  },
  Labels: {
    'org.opencontainers.image.title': 'Porter',
    'org.opencontainers.image.description': packageJson.description,
    'org.opencontainers.image.version': packageJson.version,
    'org.opencontainers.image.licenses': 'MIT',
  },
};

/** Removes everything except libraries, /etc/os-release, licences, and the entries by which scanners recognize the packages. */
function trimBase(root: string, packages: readonly DebianPackage[]): void {
  const keep = join(root, '..', 'keep');
  rmSync(keep, { recursive: true, force: true });
  mkdirSync(join(keep, 'etc'), { recursive: true });
  for (const name of ['passwd', 'group']) {
    const shell = name === 'passwd' ? ':Porter:/data:/usr/sbin/nologin' : '';
    writeFileSync(
      join(keep, 'etc', name),
      `root:x:0:${name === 'passwd' ? '0:root:/:/usr/sbin/nologin' : ''}\nporter:x:1000:${name === 'passwd' ? '1000' : ''}${shell}\n`,
    );
  }
  writeFileSync(join(keep, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
  cpSync(join(root, 'usr/lib'), join(keep, 'usr/lib'), { recursive: true, verbatimSymlinks: true });
  for (const name of ['gconv', 'audit']) run('sh', ['-c', `rm -rf usr/lib/*/${name}`], { cwd: keep });
  symlinkSync('../usr/lib/os-release', join(keep, 'etc/os-release'));
  for (const name of ['lib', 'lib64'].filter((link) => link === 'lib' || hasLib64(root))) {
    symlinkSync(`usr/${name}`, join(keep, name));
  }
  if (hasLib64(root))
    cpSync(join(root, 'usr/lib64'), join(keep, 'usr/lib64'), { recursive: true, verbatimSymlinks: true });
  for (const entry of packages) {
    const doc = join('usr/share/doc', entry.name, 'copyright');
    run('sh', [
      '-c',
      `if [ -e "$1/${doc}" ]; then mkdir -p "$2/$(dirname ${doc})"; cp -L "$1/${doc}" "$2/${doc}"; fi`,
      'sh',
      root,
      keep,
    ]);
    const status = join(keep, 'var/lib/dpkg/status.d');
    mkdirSync(status, { recursive: true });
    writeFileSync(join(status, statusFileName(entry)), entry.control);
  }
  mkdirSync(join(keep, 'tmp'));
  rmSync(root, { recursive: true });
  renameSync(keep, root);
}

/** Returns whether the system has /lib64, in which 64-bit x86 has its loader. */
function hasLib64(root: string): boolean {
  return statSync(join(root, 'usr/lib64'), { throwIfNoEntry: false }) !== undefined;
}

function addApplication(root: string, application: string): void {
  const lib = join(root, 'usr/lib/porter/app');
  cpSync(application, lib, { recursive: true });
  // There is no shell, so the kernel starts Node.js by the first line of the program.
  const main = join(lib, 'dist/main.js');
  run('sed', ['-i', '1s|.*|#!/usr/lib/porter/bin/node|', main]);
  run('chmod', ['755', main]);
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/porter/app/dist/main.js', join(root, 'usr/bin/porter'));
  mkdirSync(join(root, 'etc/porter'), { recursive: true });
  mkdirSync(join(root, 'data'));
}

/** Adds a layer. `writable`: folders that any user may write to, because the user id of the container is not known. */
async function addLayer(
  layout: string,
  work: string,
  root: string,
  architecture: Architecture,
  writable: readonly string[] = [],
): Promise<Layer> {
  checkBinaries(root, architecture);
  normalizeModes(root);
  for (const folder of writable) run('chmod', ['1777', join(root, folder)]);
  const tar = join(work, 'layer.tar');
  writeTar(tar, root);
  const diffId = `sha256:${await digestFile(tar)}`;
  run('gzip', ['-n', `-${compression.level}`, '-f', tar]);
  return { descriptor: await addBlob(layout, MEDIA.layer, `${tar}.gz`), diffId };
}

/** Moves a file into the layout, under the name of its digest. */
async function addBlob(layout: string, mediaType: string, file: string): Promise<Descriptor> {
  const hex = await digestFile(file);
  const { size } = statSync(file);
  renameSync(file, join(layout, 'blobs/sha256', hex));
  return { mediaType, digest: `sha256:${hex}`, size };
}

function addJson(layout: string, mediaType: string, value: unknown): Descriptor {
  const file = join(layout, 'value.json');
  writeFileSync(file, JSON.stringify(value));
  const hex = run('sha256sum', [file]).slice(0, 64);
  const { size } = statSync(file);
  renameSync(file, join(layout, 'blobs/sha256', hex));
  return { mediaType, digest: `sha256:${hex}`, size };
}
