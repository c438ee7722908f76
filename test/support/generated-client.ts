import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

/**
 * Generates a client of an OpenAPI document into the folder, checks the program against its types
 * with the project's compiler, and gives what the program exports. The program imports
 * "./client/sdk.gen".
 */
export async function generatedClient(
  folder: string,
  document: object,
  program: string,
  // biome-ignore lint/suspicious/noExplicitAny: the exports of a program that the compiler checked on its own
): Promise<any> {
  writeFileSync(join(folder, "document.json"), JSON.stringify(document));
  writeFileSync(join(folder, "program.ts"), program);
  const createClient = await generator();
  await createClient({
    input: join(folder, "document.json"),
    output: join(folder, "client"),
    logs: { level: "silent" },
  });
  await check(folder);
  const outfile = join(folder, "program.mjs");
  const entryPoints = [join(folder, "program.ts")];
  await build({ entryPoints, outfile, bundle: true, format: "esm", logLevel: "error" });
  return import(pathToFileURL(outfile).href);
}

/**
 * The generator prints with the compiler's JavaScript API, which TypeScript 7 has not: it gets that
 * of an older one.
 */
async function generator() {
  const older = import.meta.resolve("@ts-morph/common");
  const url = `data:text/javascript,import all from "${older}"; export default all.ts;`;
  const hooks = registerHooks({
    resolve: (name, context, next) =>
      name === "typescript" ? { url, shortCircuit: true } : next(name, context),
  });
  try {
    return (await import("@hey-api/openapi-ts")).createClient;
  } finally {
    hooks.deregister();
  }
}

async function check(folder: string): Promise<void> {
  const manifest = fileURLToPath(import.meta.resolve("typescript/package.json"));
  const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: { tsc: string } };
  const compiler = spawn(
    process.execPath,
    [
      ...[join(manifest, "..", bin.tsc), "--noEmit", "--strict", "--target", "es2024"],
      ...[
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "--lib",
        "es2024,dom,dom.iterable",
      ],
      ...["--types", "", "program.ts"],
    ],
    { cwd: folder, stdio: ["ignore", "pipe", "inherit"] },
  );
  const exited = new Promise<number | null>((resolve) => compiler.once("close", resolve));
  const said = await text(compiler.stdout);
  if ((await exited) !== 0) throw new Error(`the generated client does not compile:\n${said}`);
}
