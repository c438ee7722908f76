import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { imageHeaderBytes } from "../../src/image/header.ts";
import { type BoardTools, run } from "./board-tools.ts";
import type { Board } from "./boards.ts";
import { linkModules } from "./link-modules.ts";
import { readModules, writeModules } from "./module-list.ts";
import { unusedParts } from "./optional-modules.ts";

const projectRoot = resolve(import.meta.dirname, "../..");

/** Everything that is built for boards; may be deleted at any time. */
export const boardBuildFolder = join(projectRoot, ".build", "esp32");

/** What of a board its build needs to know. */
export interface BuiltBoard extends Pick<Board, "name" | "folder" | "zephyrBoard"> {
  /** Settings of Zephyr in its folder, after all others. */
  readonly conf?: string;
  /** Not an image for a chip but a program for this machine. */
  readonly isProgram?: boolean;
}

export interface FirmwareRequest {
  readonly board: BuiltBoard;
  /** The manifest.json of the application; the reference firmware's when left out. */
  readonly manifest?: string;
  /** `mcconfig key=value`: trialSeconds, watchdogSeconds, firstPollSeconds. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /**
   * Links without the binary libraries of the chip's maker: a program that shows its size and
   * cannot run.
   */
  readonly withoutBlobs?: boolean;
}

export interface FirmwareBuild {
  /**
   * What is signed: the Zephyr program behind the room for MCUboot's header, or a whole program for
   * this machine.
   */
  readonly payload: Uint8Array;
  readonly elf: string;
  /** The bytes used of each memory region that the linker names. */
  readonly usedBytes: Readonly<Record<string, number>>;
}

export type BuildStep = "mcconfig" | "link" | "cmake" | "ninja";

export type FirmwareResult =
  | { readonly ok: true; readonly firmware: FirmwareBuild }
  | { readonly ok: false; readonly step: BuildStep; readonly output: string };

/**
 * Compiles an application for a board: mcconfig makes its part, CMake and Ninja build it with
 * Zephyr. Applications of one board share the objects of Zephyr.
 */
export async function buildFirmware(
  tools: BoardTools,
  request: FirmwareRequest,
): Promise<FirmwareResult> {
  const { board, manifest = join(projectRoot, "manifest.json"), settings = {} } = request;
  mkdirSync(boardBuildFolder, { recursive: true });
  const from = dirname(manifest);
  const values = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  const target = ["-p", `zephyr:${board.folder}`, "-t", "build", "-o", boardBuildFolder];
  const own = join(
    boardBuildFolder,
    "tmp/zephyr",
    basename(board.folder),
    "release",
    basename(from),
  );
  const lists = join(own, "CMakeLists.txt");
  rmSync(lists, { force: true }); // that of an earlier build has other modules: see linkFirmware
  rmSync(join(own, "modules/mc.xsi"), { force: true }); // else the linker keeps the names of earlier builds
  const made = await run("mcconfig", [...target, ...values], tools.environment, from);
  if (made.exitCode !== 0 || !existsSync(lists)) return failed("mcconfig", made.output);
  adaptLists(lists);
  const linkError = await linkFirmware(lists, own);
  if (linkError !== null) return failed("link", linkError);
  const { withoutBlobs = false } = request;
  const build = join(boardBuildFolder, "zephyr", board.name + (withoutBlobs ? blobless : ""));
  const parameters = cmakeParameters(tools, board, own, build);
  if (withoutBlobs) parameters.push("-DCONFIG_BUILD_ONLY_NO_BLOBS=y");
  const configured = await run("cmake", parameters, tools.environment);
  if (configured.exitCode !== 0) return failed("cmake", configured.output);
  rmSync(join(build, "zephyr/zephyr.elf"), { force: true }); // its table is printed when it is linked
  const linked = await run("ninja", ["-C", build], tools.environment);
  if (linked.exitCode !== 0) return failed("ninja", linked.output);
  return {
    ok: true,
    firmware: {
      payload: board.isProgram
        ? readFileSync(join(build, "zephyr/zephyr.exe"))
        : readFileSync(join(build, "zephyr/zephyr.bin")).subarray(imageHeaderBytes),
      elf: join(build, "zephyr/zephyr.elf"),
      usedBytes: readRegions(linked.output),
    },
  };
}

/** A folder of its own: CMake keeps what it was once told. */
const blobless = "-without-blobs";

/** Zephyr's own command line, as `west build` would give it. */
function cmakeParameters(
  tools: BoardTools,
  board: BuiltBoard,
  own: string,
  build: string,
): string[] {
  const { zephyrOverlay = [] } = JSON.parse(
    readFileSync(join(board.folder, "manifest.json"), "utf8"),
  ) as { zephyrOverlay?: string[] };
  const conf = ["zephyr.conf", "unused.conf"].map((name) => join(own, name));
  if (board.conf !== undefined) conf.push(join(board.folder, board.conf));
  const overlays = zephyrOverlay.map((path) => resolve(board.folder, path));
  return [
    "-GNinja",
    "-S",
    join(tools.moddable, "build/devices/zephyr/app"),
    "-B",
    build,
    `-DBOARD=${board.zephyrBoard}`,
    "-DBUILD_VERSION=sluice", // else the commit of whatever repository Zephyr stands in
    `-DEXTRA_CONF_FILE=${conf.join(";")}`,
    `-DMODDABLE_BUILD_DIR=${own}`,
    `-DEXTRA_DTC_OVERLAY_FILE=${overlays.join(";")}`,
  ];
}

/**
 * What mcconfig makes asks for Zephyr 4.4 and its own compiler package. Zephyr 4.3 and any compiler
 * for the chip do: tried. XS saves registers by functions of the compiler's, for RISC-V; Zephyr
 * does not, since some of its code runs while the flash, in which these are, cannot be read.
 */
function adaptLists(lists: string): void {
  const text = readFileSync(lists, "utf8")
    .replace(/^find_package\(Zephyr-sdk .*\)$/m, "set(Zephyr-sdk_FOUND TRUE)")
    .replace(/^find_package\(Zephyr [\d.]+ /m, "find_package(Zephyr ")
    .replace(/^zephyr_library_compile_options\(\$\{mOPTIONS\}\)$/m, `$&\n${smallerCode}`);
  writeFileSync(lists, text);
}

const smallerCode = `if(CONFIG_RISCV)
  zephyr_library_compile_options(-msave-restore)
endif()`;

/** Modules become one, and what nothing imports goes. The error's text, or null. */
async function linkFirmware(lists: string, own: string): Promise<string | null> {
  const modules = readModules(lists);
  const main = /^set\(mCREATION -c .*,([^,]+),\d+\)$/m.exec(readFileSync(lists, "utf8"))?.[1];
  if (main === undefined) return `${lists} names no main module`;
  try {
    const linked = await linkModules({ modules, main, folder: join(own, "linked") });
    const { natives, configuration } = unusedParts(linked.reached);
    writeModules(lists, { ...linked, unusedNatives: natives });
    writeFileSync(join(own, "unused.conf"), configuration);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error); // of esbuild: it names file and line
  }
}

/** From the table that the linker prints. */
function readRegions(output: string): Record<string, number> {
  const used: Record<string, number> = {};
  const rows = output.matchAll(/^\s*(\w+):\s+(\d+) (B|KB|MB|GB)\s/gm);
  for (const [, name = "", count = "", unit = ""] of rows)
    used[name] = Number(count) * (unitBytes[unit] ?? 1);
  return used;
}

const unitBytes: Readonly<Record<string, number>> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

function failed(step: BuildStep, output: string): FirmwareResult {
  return { ok: false, step, output: output.trimEnd().split("\n").slice(-40).join("\n") };
}
