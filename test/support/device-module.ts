import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "src", "device");

/**
 * Loads one file of src/device as a board would, with `modules` in place of the SDK's and the
 * board's own. A module is its default export; one whose names are imported is an object of them.
 * Any other name throws.
 */
export function loadDeviceModule<T>(file: string, modules: Readonly<Record<string, unknown>>): T {
  const built = buildSync({
    entryPoints: [join(source, file)],
    bundle: true,
    write: false,
    format: "cjs",
    platform: "neutral",
    target: "es2024",
    external: [
      ...["embedded:*", "sluice/*", "ssl/*", "timer", "time"],
      ...["crypt", "curve", "ecp", "ecdsa", "rng"],
    ],
  });
  const [output] = built.outputFiles;
  const module = { exports: {} as T };
  const require = (name: string): unknown => {
    if (!Object.hasOwn(modules, name)) throw new Error(`the test gives no module "${name}"`);
    return modules[name];
  };
  new Function("module", "exports", "require", output?.text ?? "")(module, module.exports, require);
  return module.exports;
}
