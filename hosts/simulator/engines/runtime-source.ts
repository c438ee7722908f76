import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

let cached: string | null = null;

/** The board's runtime as one script, bundled once per process. */
export function runtimeSource(): string {
  cached ??= bundle();
  return cached;
}

function bundle(): string {
  const entry = fileURLToPath(new URL("../board/runtime.ts", import.meta.url));
  const built = buildSync({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    logLevel: "silent",
  });
  const [file] = built.outputFiles;
  if (file === undefined) throw new Error("esbuild gave no output for the board's runtime");
  return file.text;
}
