import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { extname, join, posix } from "node:path";
import { type BuildFailure, build, type Loader, type Plugin, version } from "esbuild";

/** A firmware as one script: CommonJS style, everything of the board through `require`. */
export interface Bundle {
  readonly text: string;
  /** Every file that went in, sorted by path: path relative to the root, and SHA-256 in hex. */
  readonly sources: ReadonlyArray<{ readonly path: string; readonly sha256: string }>;
  /** Every specifier left to `require`, sorted. */
  readonly modules: readonly string[];
}

export interface BundleOptions {
  /** Absolute folder of the sources. */
  readonly root: string;
  /** Relative to the root, with "/". */
  readonly entry: string;
  readonly minify: boolean;
}

/** What the bundler is, for the list of inputs. */
export const bundlerVersion = version;

/**
 * Bundles a firmware. Only the files that it imports count: no tsconfig.json, no package.json and
 * no path outside the root reach the output, so the same files give the same bytes in any folder
 * and on any machine.
 */
export async function bundle(
  options: BundleOptions,
): Promise<{ ok: true; bundle: Bundle } | { ok: false; message: string }> {
  const sources = new Map<string, string>();
  const modules = new Set<string>();
  try {
    const built = await build({
      absWorkingDir: options.root,
      entryPoints: [options.entry],
      plugins: [hermeticSources(options.root, sources, modules)],
      bundle: true,
      write: false,
      format: "cjs",
      platform: "neutral",
      target: "es2022",
      charset: "utf8",
      minify: options.minify,
      legalComments: "none",
      logLevel: "silent",
      tsconfigRaw: {
        compilerOptions: { useDefineForClassFields: true, verbatimModuleSyntax: true },
      },
    });
    const text = built.outputFiles[0]?.text ?? "";
    const byPath = [...sources].map(([path, sha256]) => ({ path, sha256 }));
    byPath.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { ok: true, bundle: { text, sources: byPath, modules: [...modules].sort() } };
  } catch (error) {
    if (isBuildFailure(error)) return { ok: false, message: firstError(error) };
    throw error;
  }
}

const namespace = "firmware";
const loaders: Readonly<Record<string, Loader>> = { ".ts": "ts", ".js": "js", ".json": "json" };

function hermeticSources(root: string, sources: Map<string, string>, modules: Set<string>): Plugin {
  return {
    name: "hermetic-sources",
    setup(context) {
      context.onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
        const isOwn = kind === "entry-point" || path.startsWith("./") || path.startsWith("../");
        if (!isOwn) {
          modules.add(path);
          return { path, external: true };
        }
        const from = kind === "entry-point" ? "" : posix.dirname(importer);
        const file = posix.normalize(posix.join(from, path));
        const problem = problemOf(root, file);
        if (problem !== null) return { errors: [{ text: problem }] };
        return { path: file, namespace };
      });
      context.onLoad({ filter: /.*/, namespace }, ({ path }) => {
        const contents = readFileSync(join(root, path));
        sources.set(path, createHash("sha256").update(contents).digest("hex"));
        return { contents, loader: loaders[extname(path)] ?? "ts" };
      });
    },
  };
}

function problemOf(root: string, file: string): string | null {
  if (file.startsWith("../") || posix.isAbsolute(file))
    return `${file} lies outside the folder of the sources; import only files in it`;
  if (loaders[extname(file)] === undefined)
    return `${file} does not end in ${Object.keys(loaders).join(", ")}; write the whole file name`;
  return existsSync(join(root, file))
    ? null
    : `there is no file ${file} in the folder of the sources`;
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && "errors" in error;
}

function firstError(failure: BuildFailure): string {
  const first = failure.errors[0];
  if (first === undefined) return failure.message;
  const place = first.location;
  const where = place === null ? "" : `${place.file.replace(`${namespace}:`, "")}:${place.line}: `;
  const more = failure.errors.length > 1 ? ` (and ${failure.errors.length - 1} more)` : "";
  return `${where}${first.text}${more}`;
}
