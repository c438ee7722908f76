import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { compactProgram } from "./compact-program.ts";
import { hasNatives, ModuleGraph } from "./module-graph.ts";
import type { FirmwareModule } from "./module-list.ts";
import { isOptionalModule } from "./optional-modules.ts";
import { withStandIns } from "./stand-ins.ts";

/** The module that the linked ones become. */
const linkedName = "linked";

export interface LinkRequest {
  readonly modules: ReadonlyMap<string, FirmwareModule>;
  /** What the firmware starts with. */
  readonly main: string;
  /** Where the modules that are made go. */
  readonly folder: string;
}

export interface LinkedModules {
  /** What is neither reached nor as it was. */
  readonly dropped: readonly FirmwareModule[];
  /** The linked module, and one for each name that the others still import. */
  readonly made: readonly FirmwareModule[];
  /** The modules that stay, and are preloaded: also those that only a preloaded one imports. */
  readonly preloaded: readonly FirmwareModule[];
  readonly reached: ReadonlySet<string>;
}

/**
 * Makes one module of all preloaded JavaScript, without what nothing uses: each module, export and
 * import costs XS slots, and each name of a variable a key. Modules with natives, and what they
 * import, stay.
 */
export async function linkModules(request: LinkRequest): Promise<LinkedModules> {
  const { folder } = request;
  const [rootNames, starts] = rootsOf(request);
  mkdirSync(folder, { recursive: true });
  const modules = withStandIns(request.modules, [...starts, ...rootNames], folder);
  const graph = new ModuleGraph(modules);
  const all = [...modules.values()];
  const reached = graph.reachedFrom([...starts, ...rootNames]);
  const preloaded = graph.reachedFrom(rootNames);
  const apart = modulesApart(graph, modules, reached, preloaded);
  const linkable = new Set([...preloaded].filter((name) => !apart.has(name) && !isSetup(name)));
  const wanted = wantedExports(graph, reached, linkable);
  const entry = join(folder, "entry.js");
  writeFileSync(
    entry,
    entryText(
      rootNames.filter((name) => linkable.has(name)),
      wanted,
    ),
  );
  const source = join(folder, `${linkedName}.js`);
  await bundle(entry, source, graph, linkable);
  const made: FirmwareModule[] = [
    { name: linkedName, file: `${linkedName}.xsb`, source, isPreloaded: true },
  ];
  for (const [name, names] of wanted) {
    const path = join(folder, `${name.replace(/\W/g, "-")}.js`);
    writeFileSync(path, forwarderText(name, names));
    made.push({ name, file: modules.get(name)?.file ?? "", source: path, isPreloaded: true });
  }
  const dropped = all.filter(({ name }) => !reached.has(name) || linkable.has(name));
  const staying = all.filter(({ name }) => preloaded.has(name) && apart.has(name));
  return { dropped, made, preloaded: staying, reached };
}

/**
 * Names of what is preloaded, and of what runs later: main, and what an application may import by a
 * name it makes.
 */
function rootsOf({ modules, main }: LinkRequest): [preloaded: string[], later: string[]] {
  const roots = [...modules.values()].filter(({ name }) => !isOptionalModule(name));
  const later = roots.filter(
    ({ name, source, isPreloaded }) =>
      !isPreloaded && !name.startsWith("sluice/") && /\.[jt]s$/.test(source),
  );
  return [
    roots.filter(({ isPreloaded }) => isPreloaded).map(({ name }) => name),
    [main, ...later.map(({ name }) => name)],
  ];
}

/** The SDK runs these before main: it looks for their names. */
function isSetup(name: string): boolean {
  return name.startsWith("setup/");
}

/**
 * The modules that cannot be linked, and everything that they import: it must not be there twice.
 */
function modulesApart(
  graph: ModuleGraph,
  modules: ReadonlyMap<string, FirmwareModule>,
  reached: ReadonlySet<string>,
  preloaded: ReadonlySet<string>,
): Set<string> {
  const own = [...modules.values()].filter(
    (module) => reached.has(module.name) && hasNatives(module),
  );
  let apart = graph.reachedFrom(own.map(({ name }) => name));
  for (let size = -1; size !== apart.size; ) {
    size = apart.size;
    const outside = [...reached].filter(
      (name) => apart.has(name) || isSetup(name) || !preloaded.has(name),
    );
    const whole = outside
      .flatMap((name) => graph.importsOf(name))
      .filter(({ names }) => names.includes("*"));
    apart = graph.reachedFrom([...apart, ...whole.map(({ from }) => from)]);
  }
  return apart;
}

/** What modules that stay take from those that are linked. */
function wantedExports(
  graph: ModuleGraph,
  reached: ReadonlySet<string>,
  linkable: ReadonlySet<string>,
): Map<string, Set<string>> {
  const wanted = new Map<string, Set<string>>();
  for (const name of reached) {
    if (linkable.has(name)) continue;
    for (const { from, names } of graph.importsOf(name)) {
      if (!linkable.has(from)) continue;
      const known = wanted.get(from) ?? new Set();
      for (const one of names) known.add(one);
      wanted.set(from, known);
    }
  }
  return wanted;
}

function entryText(roots: readonly string[], wanted: ReadonlyMap<string, Set<string>>): string {
  const lines = roots.map((name) => `import "${name}";`);
  for (const [name, names] of wanted)
    for (const one of names)
      lines.push(`export { ${one} as ${exportedName(name, one)} } from "${name}";`);
  return `${lines.join("\n")}\n`;
}

function forwarderText(name: string, names: ReadonlySet<string>): string {
  const pairs = [...names].map((one) => `${exportedName(name, one)} as ${one}`);
  return `export { ${pairs.join(", ")} } from "${linkedName}";\n`;
}

function exportedName(module: string, name: string): string {
  return `${module.replace(/\W/g, "_")}_${name}`;
}

async function bundle(
  entry: string,
  outfile: string,
  graph: ModuleGraph,
  linkable: ReadonlySet<string>,
): Promise<void> {
  const apart = "apart";
  const names: Plugin = {
    name: "names of modules",
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /./ }, ({ path, importer, kind, namespace }) => {
        if (kind === "entry-point") return undefined;
        if (namespace === apart) return { path, external: true };
        const module = graph.resolve(path, importer);
        if (module === null) return { errors: [{ text: `no module is called ${path}` }] };
        return linkable.has(module.name)
          ? { path: module.source }
          : { path: module.name, namespace: apart, sideEffects: false };
      });
      onLoad({ filter: /./, namespace: apart }, ({ path }) => ({
        contents: importedOnce(path, graph, linkable),
      }));
    },
  };
  const { outputFiles } = await build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    format: "esm",
    target: "es2023",
    legalComments: "none",
    plugins: [names],
    logLevel: "silent",
    tsconfigRaw: {},
  });
  writeFileSync(outfile, await compactProgram(outputFiles[0]?.text ?? ""));
}

/**
 * Exports each name of a module once; else each file that imports it would have imports of its own.
 */
function importedOnce(name: string, graph: ModuleGraph, linkable: ReadonlySet<string>): string {
  const names = new Set(
    [...linkable]
      .flatMap((importer) => graph.importsOf(importer))
      .filter(({ from }) => from === name)
      .flatMap((one) => one.names),
  );
  if (names.has("*")) throw new Error(`${name} is imported as a whole`);
  return `export { ${[...names].join(", ")} } from "${name}";\n`;
}
