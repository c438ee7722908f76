import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";

/** One module of a firmware, as mcconfig found it. */
export interface FirmwareModule {
  /** What programs import it by. */
  readonly name: string;
  /** The module's compiled file below the folder of modules. */
  readonly file: string;
  /** Absolute; may be generated later. */
  readonly source: string;
  readonly isPreloaded: boolean;
}

/** The modules in the CMakeLists.txt that mcconfig makes, by their names. */
export function readModules(lists: string): Map<string, FirmwareModule> {
  const text = readFileSync(lists, "utf8");
  const temporary = /^set\(TMP_DIR (.*)\)$/m.exec(text)?.[1] ?? "";
  const preloaded = new Set(captures(text, /^list\(APPEND preloadsNATIVE -p (.+)\)$/gm));
  const sources = readSources(text, temporary);
  const modules = new Map<string, FirmwareModule>();
  for (const file of captures(text, /^list\(APPEND mMODULES \$\{MODULES_DIR\}\/(.+\.xsb)\)$/gm)) {
    const name = file
      .slice(0, -".xsb".length)
      .replace(/^~\./, "")
      .replace(/^embedded\//, "embedded:");
    const source = sources.get(file) ?? "";
    modules.set(name, { name, file, source, isPreloaded: preloaded.has(file) });
  }
  return modules;
}

/**
 * The source of each compiled file; TypeScript is named by its own source, not by what the compiler
 * makes of it.
 */
function readSources(text: string, temporary: string): Map<string, string> {
  const sources = new Map<string, string>();
  const command = /^cmake_path\(CONVERT "(.+)" TO_NATIVE_PATH_LIST the_source\)$/;
  const output = /^\tOUTPUT \$\{MODULES_DIR\}\/(.+\.xsb)$/;
  let source = "";
  for (const line of text.split("\n")) {
    source = command.exec(line)?.[1] ?? source;
    const file = output.exec(line)?.[1];
    if (file !== undefined) sources.set(file, originalOf(source, file, temporary));
  }
  return sources;
}

function originalOf(source: string, file: string, temporary: string): string {
  const expanded = source.replace(/^\$\{TMP_DIR\}/, temporary);
  const compiled = `${temporary}/tsc/${file.slice(0, -".xsb".length)}/`;
  if (!expanded.startsWith(compiled)) return expanded;
  return `/${expanded.slice(compiled.length).replace(/\.js$/, ".ts")}`;
}

function captures(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = ""]) => found);
}

/**
 * Writes the list again with other modules: those that were made are compiled from what they are
 * made of.
 */
export function writeModules(
  lists: string,
  change: {
    readonly dropped: readonly FirmwareModule[];
    readonly made: readonly FirmwareModule[];
    readonly preloaded: readonly FirmwareModule[];
    /** Ends of the paths of C sources. */
    readonly unusedNatives: readonly string[];
  },
): void {
  const { dropped, made, preloaded, unusedNatives } = change;
  const gone = new Set([...dropped, ...made, ...preloaded].map(({ file }) => file));
  const lost = new Set([...dropped, ...made].map(({ file }) => file));
  const remade = new Set(made.map(({ file }) => file));
  const lines = readFileSync(lists, "utf8")
    .replace(moduleCommand, (command, file: string) => (remade.has(file) ? "" : command))
    .split("\n")
    .filter((line) => !lost.has(listedModule.exec(line)?.[1] ?? ""))
    .filter((line) => !gone.has(listedPreload.exec(line)?.[1] ?? ""))
    .filter((line) => !unusedNatives.some((end) => isSource(line, end)));
  const added = [
    ...made.flatMap(compiledLines),
    ...[...made, ...preloaded].map(({ file }) => `list(APPEND preloadsNATIVE -p ${file})`),
  ];
  lines.splice(lines.indexOf("# --- suffix file"), 0, ...added);
  writeFileSync(lists, lines.join("\n"));
}

const moduleCommand =
  /^add_custom_command\(\n\tOUTPUT \$\{MODULES_DIR\}\/(.+\.xsb)\n[\s\S]*?VERBATIM\s*\)\n/gm;
const listedModule = /^list\(APPEND mMODULES \$\{MODULES_DIR\}\/(.+\.xsb)\)$/;
const listedPreload = /^list\(APPEND preloadsNATIVE -p (.+\.xsb)\)$/;

function isSource(line: string, end: string): boolean {
  return line.startsWith("list(APPEND mOBJECTS ") && line.endsWith(`${end})`);
}

function compiledLines({ file, source }: FirmwareModule): string[] {
  const name = basename(file, ".xsb");
  const folder = dirname(file);
  return [
    `list(APPEND mMODULES \${MODULES_DIR}/${file})`,
    "add_custom_command(",
    `\tOUTPUT \${MODULES_DIR}/${file}`,
    `\tCOMMAND xsc ${source} -c -e -o \${MODULES_DIR}/${folder} -r ${name}`,
    `\tDEPENDS ${source}`,
    "\tVERBATIM)",
  ];
}
