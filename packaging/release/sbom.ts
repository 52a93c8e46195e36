import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLED } from '../page/build-page.ts';
import { type BundledPackage, buildProgram, readPackage } from '../program/build-program.ts';
import { packageJson } from './application.ts';
import { sourceDateEpoch } from './archive.ts';
import { listBundled } from './copyright.ts';
import type { DebianPackage } from './debian-packages.ts';
import { architectures, nodeVersion } from './node-runtime.ts';
import { ROOT, run } from './run.ts';

interface Sbom {
  serialNumber?: string;
  metadata: { timestamp: string; component: { name: string } };
  components: unknown[];
  dependencies: { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

/** An entry of `package-lock.json`. If `os`, `cpu` or `libc` is missing, it is for all of them. */
interface LockedPackage {
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

/**
 * Writes `porter-VERSION.cdx.json`, a CycloneDX list of the content of all packages: the npm packages that are installed with the program,
 * those whose code is in the program or in the web page, Node.js, and the Debian packages of the image. It contains no random numbers, so
 * that two builds have the same bytes.
 */
export async function writeSbom(out: string, debianPackages: readonly DebianPackage[]): Promise<string> {
  const sbom = JSON.parse(
    run('npm', ['sbom', '--sbom-format=cyclonedx', '--omit=dev', '--package-lock-only'], { cwd: ROOT }),
  ) as Sbom;
  removeOtherPlatforms(sbom);
  // The serial number is optional in CycloneDX, and npm creates a random one.
  delete sbom.serialNumber;
  // npm uses the name of the folder.
  sbom.metadata.component.name = packageJson.name;
  sbom.metadata.timestamp = new Date(sourceDateEpoch() * 1000).toISOString();
  const { version } = nodeVersion;
  sbom.components.push({
    type: 'application',
    'bom-ref': `node@${version}`,
    name: 'node',
    version,
    purl: `pkg:generic/node@${version}`,
    licenses: [{ license: { id: 'MIT' } }],
  });
  for (const { name, version: bundled, license } of await bundledPackages(join(out, 'work/program'))) {
    sbom.components.push({
      type: 'library',
      'bom-ref': `bundled/${name}@${bundled}`,
      name,
      version: bundled,
      // The `@` of a scope is escaped (https://github.com/package-url/purl-spec).
      purl: `pkg:npm/${name.replace('@', '%40')}@${bundled}`,
      licenses: [{ license: { id: license } }],
    });
  }
  const seen = new Map(debianPackages.map((entry) => [`${entry.name}@${entry.version}`, entry]));
  for (const [ref, { name, version: debianVersion }] of [...seen].toSorted()) {
    sbom.components.push({
      type: 'library',
      'bom-ref': `debian/${ref}`,
      name,
      version: debianVersion,
      purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(debianVersion)}`,
    });
  }
  const file = join(out, `porter-${packageJson.version}.cdx.json`);
  writeFileSync(file, `${JSON.stringify(sbom, null, 1)}\n`);
  return file;
}

/** Builds the program into an empty folder and returns the packages inside it and inside its page. */
async function bundledPackages(folder: string): Promise<BundledPackage[]> {
  await buildProgram(folder);
  return [...listBundled(folder), ...BUNDLED.map((name) => readPackage(`node_modules/${name}`))];
}

/** Removes the native packages of systems for which there is no release. npm lists the packages of all systems. */
function removeOtherPlatforms(sbom: Sbom): void {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  const isInside = (name: string) => {
    const { os = ['linux'], cpu = ['x64'], libc = ['glibc'] } = packages[`node_modules/${name}`] ?? {};
    const isForCpu = Object.values(architectures).some((one) => cpu.includes(one));
    return os.includes('linux') && isForCpu && libc.includes('glibc');
  };
  const others = (sbom.components as { readonly name: string; readonly 'bom-ref': string }[]).filter(
    ({ name }) => !isInside(name),
  );
  const refs = new Set(others.map((component) => component['bom-ref']));
  sbom.components = sbom.components.filter((component) => !others.includes(component as (typeof others)[0]));
  sbom.dependencies = sbom.dependencies
    .filter(({ ref }) => !refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => !refs.has(one)) }));
}
