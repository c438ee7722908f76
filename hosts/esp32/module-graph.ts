import { readFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import { transformSync } from "esbuild";
import type { FirmwareModule } from "./module-list.ts";

/** Names that one module takes from another; "*" stands for all of them. */
export interface ModuleImport {
  readonly from: string;
  readonly names: readonly string[];
}

/** Which modules of a firmware import which. */
export class ModuleGraph {
  readonly #modules: ReadonlyMap<string, FirmwareModule>;
  readonly #bySource: ReadonlyMap<string, string>;
  readonly #imports = new Map<string, readonly ModuleImport[]>();

  constructor(modules: ReadonlyMap<string, FirmwareModule>) {
    this.#modules = modules;
    this.#bySource = new Map([...modules.values()].map(({ source, name }) => [source, name]));
  }

  /** The module that a program at `source` means; null for what is no module of the firmware. */
  resolve(specifier: string, source: string): FirmwareModule | null {
    const known = this.#modules.get(specifier);
    if (known !== undefined) return known;
    const path = resolve(dirname(source), specifier);
    for (const candidate of [path, `${path}.js`, `${path}.ts`]) {
      const name = this.#bySource.get(candidate);
      if (name !== undefined) return this.#modules.get(name) ?? null;
    }
    return null;
  }

  importsOf(name: string): readonly ModuleImport[] {
    const known = this.#imports.get(name);
    if (known !== undefined) return known;
    const module = this.#modules.get(name);
    const found = module === undefined ? [] : this.#readImports(module);
    this.#imports.set(name, found);
    return found;
  }

  reachedFrom(roots: Iterable<string>): Set<string> {
    const reached = new Set<string>();
    const open = [...roots].filter((name) => this.#modules.has(name));
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (reached.has(name)) continue;
      reached.add(name);
      open.push(...this.importsOf(name).map(({ from }) => from));
    }
    return reached;
  }

  #readImports(module: FirmwareModule): ModuleImport[] {
    if (!/\.[jt]s$/.test(module.source)) return [];
    const text = plainText(module);
    const imports: ModuleImport[] = [];
    const add = (specifier: string, names: string[]): void => {
      const from = this.resolve(specifier, module.source)?.name;
      if (from !== undefined) imports.push({ from, names });
    };
    for (const [, clause = "", specifier = ""] of text.matchAll(statement))
      add(specifier, namesOf(clause));
    for (const [, specifier = ""] of text.matchAll(call)) add(specifier, ["*"]);
    return imports;
  }
}

/** With natives, for which the SDK's compiler wants to see what was written. */
export function hasNatives(module: FirmwareModule): boolean {
  const text = readFileSync(module.source, "utf8");
  return ownSyntax.test(text) || /\b[nN]ative\("/.test(text);
}

/** Without types and comments, each import in a line of its own. */
function plainText(module: FirmwareModule): string {
  const text = readFileSync(module.source, "utf8");
  if (ownSyntax.test(text)) return text;
  return transformSync(text, { loader: extname(module.source) === ".ts" ? "ts" : "js" }).code;
}

/** Syntax that only the SDK's compiler knows: `name(parameters) @ "function in C";`. */
const ownSyntax = /[\w)]\s*@\s*"\w+"/;

const statement = /^\s*(?:import|export)\s+(?:([\w$*{}\s,]*?)\s*from\s*)?["']([^"'\n]+)["']/gm;
const call = /\bimport\(\s*["']([^"'\n]+)["']\s*\)/g;

/** The names that a clause imports: `a`, `{ b, c as d }`, `a, { b }`, `* as e` or nothing. */
function namesOf(clause: string): string[] {
  if (clause.includes("*")) return ["*"];
  const [before = "", inside = ""] = clause.replace("}", "").split("{");
  const first = before.replace(",", "").trim();
  const named = inside.split(",").map((part) => part.trim().split(/\s+as\s+/)[0] ?? "");
  return [...(first === "" ? [] : ["default"]), ...named.filter((name) => name !== "")];
}
