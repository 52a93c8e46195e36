import { builtinModules } from 'node:module';
import { relative } from 'node:path';
import type { Plugin } from 'esbuild';
import { ROOT } from '../release/run.ts';

/*
 * Plugins of the build. They remove modules that Porter does not use from the program, or load them later than at the start
 * (docs/decisions/0035, docs/decisions/0040).
 */

/**
 * Modules of Node.js that load many others, and that most servers do not use, or use only later. They are loaded when one of their
 * functions is called for the first time.
 */
const LOADED_ON_USE = ['http2', 'https', 'readline', 'readline/promises', 'tls', 'zlib'];

const BUILTIN = new RegExp(`^(?:node:)?(?:${builtinModules.join('|')})$`);

/**
 * Reads only those exports of Node's modules that the program uses. A plain `import` reads every export, and many exports load more
 * modules when they are read: `http.WebSocket` loads all of `fetch`, `fs.ReadStream` the streams, `crypto.webcrypto` its modules.
 */
export const namedBuiltins: Plugin = {
  name: 'named-builtins',
  setup(build) {
    build.onResolve({ filter: BUILTIN }, ({ path, kind, importer }) => {
      const name = path.replace('node:', '');
      // An `import()` gets every export, so it stays as it is.
      if (kind === 'dynamic-import') return { path: `node:${name}`, external: true };
      if (kind === 'require-call') return { path: name, namespace: 'builtin-required' };
      // One module for each importer. Otherwise the start would read exports that only modules which are loaded later need.
      return {
        path: `${name} for ${relative(ROOT, importer)}`,
        namespace: 'builtin-imported',
        pluginData: name,
      };
    });
    build.onLoad({ filter: /.*/, namespace: 'builtin-required' }, ({ path }) => ({
      contents: `module.exports = ${wholeModule(path)}`,
    }));
    build.onLoad({ filter: /.*/, namespace: 'builtin-imported' }, ({ pluginData }) => ({
      contents: exportsOf(String(pluginData)),
    }));
  },
};

/** Returns an expression for a module of Node.js. For a module in `LOADED_ON_USE`, it is a proxy that loads the module. */
function wholeModule(name: string): string {
  const load = `process.getBuiltinModule('node:${name}')`;
  if (!LOADED_ON_USE.includes(name)) return load;
  return `new Proxy({}, { get: (_, name) => ${load}[name], has: (_, name) => name in ${load} })`;
}

/** Returns a module with one constant for each export. The bundler removes those that nothing imports. */
function exportsOf(name: string): string {
  const builtin = process.getBuiltinModule(`node:${name}`) as Record<string, unknown>;
  const names = Object.keys(builtin).filter((key) => /^[A-Za-z_$][\w$]*$/.test(key) && key !== 'default');
  return [
    `const builtin = /* @__PURE__ */ (() => ${wholeModule(name)})();`,
    'export default builtin;',
    ...names.map((key) => {
      // Functions of modules in `LOADED_ON_USE` load their module when they are called. Classes are read at once.
      const isLoadedOnCall =
        LOADED_ON_USE.includes(name) && typeof builtin[key] === 'function' && /^[a-z]/.test(key);
      const value = isLoadedOnCall ? `(...values) => builtin.${key}(...values)` : `builtin.${key}`;
      return `export const ${key} = /* @__PURE__ */ (() => ${value})();`;
    }),
  ].join('\n');
}

interface Replacement {
  /** The package that imports the module. */
  readonly importer: string;
  readonly filter: RegExp;
  readonly contents: string;
}

/** Modules that dependencies import and Porter never uses. */
const REPLACEMENTS: readonly Replacement[] = [
  // The texts of all languages, which `zod` exports as one object.
  { importer: 'zod', filter: /^\.\.\/locales\/index\.js$/, contents: 'export {}' },
  // The router does not use schemas of Fastify, and sets other compilers (`http/listener/router.ts`).
  {
    importer: 'fastify',
    filter: /^@fastify\/(ajv-compiler|fast-json-stringify-compiler)$/,
    contents: 'module.exports = undefined',
  },
  // Fastify loads it for tests without a socket.
  { importer: 'fastify', filter: /^light-my-request$/, contents: 'module.exports = undefined' },
  // Sends metrics to a server that collects them.
  { importer: 'prom-client', filter: /^\.\/lib\/pushgateway$/, contents: 'module.exports = undefined' },
];

export const unusedModules: Plugin = {
  name: 'unused-modules',
  setup(build) {
    for (const { importer: owner, filter, contents } of REPLACEMENTS) {
      const namespace = `unused by ${owner}: ${contents}`;
      build.onResolve({ filter }, ({ path, importer }) =>
        importer.includes(`/node_modules/${owner}/`) ? { path, namespace } : undefined,
      );
      build.onLoad({ filter, namespace }, () => ({ contents }));
    }
  },
};
