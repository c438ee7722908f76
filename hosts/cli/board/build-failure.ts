/**
 * What the last words of a build that failed do not say: what is missing, and the next step. Empty
 * when nothing is known.
 */
export function afterBuildFailure(output: string): string {
  const step = unmetSelection(output) ?? missingBlobs(output) ?? wrongLibraries(output);
  return step === null ? "" : `\n${step}`;
}

/**
 * Kconfig refuses a symbol that another one selects and whose own dependencies are not met; those
 * of a module's symbols are 0 when the module is not there. Its warning names blobs in passing, so
 * that it is looked for before them.
 */
function unmetSelection(output: string): string | null {
  const found = selection.exec(output);
  if (found === null) return null;
  const [, symbol = "", file = "", dependencies = "", selecting = ""] = found;
  const module = dependencies === "0" ? /^modules\/([\w-]+)\//.exec(file)?.[1] : undefined;
  return module === undefined
    ? `${selecting} needs ${symbol}, which this board's configuration rules out: ${file} of Zephyr has its dependencies`
    : `${selecting} needs the Zephyr module ${module}, which is not in this build: west update ${module}, or its folder in ZEPHYR_MODULES (docs/flashing.md)`;
}

const selection =
  /(\w+) \(defined at ([^:)]+)[^)]*\) has direct dependencies (.*) with value n, but .*selected by the following symbols:\n - (\w+)/;

function missingBlobs(output: string): string | null {
  return /\bwest blobs fetch\b|cannot find -l(?:core|net80211|pp|phy|coexist)\b/.test(output)
    ? "Wi-Fi needs Espressif's binary libraries: west blobs fetch hal_espressif; or see with --without-blobs whether the rest compiles"
    : null;
}

function wrongLibraries(output: string): string | null {
  return /ABI is incompatible|file in wrong format/.test(output)
    ? "the compiler linked its 64-bit libraries: docs/flashing.md names two lines of Zephyr to change"
    : null;
}
