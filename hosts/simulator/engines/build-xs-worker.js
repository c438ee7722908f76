// Builds the XS engine's worker out of npm's @agoric/xsnap when npm installs this project.
// Optional: where it cannot be built, one line says why, and engine xs says it again when it is
// asked for.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, platform, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const version = "0.15.0";
/** The integrity of the package in the registry: anything else is not built. */
const integrity =
  "sha512-ZBm4DZxbtfacxMHVVdJjZi0Y8zOxN77vpu1WwI5RWfPkaRh0aHkz/dVdTGKXalDNzWfz183lljKxlxl3/h0n+A==";

const folder = join(
  dirname(fileURLToPath(import.meta.url)),
  "../../../node_modules/.cache/sluice/xs-worker",
);
const worker = join(folder, `xsnap-worker-${version}`);
const reasonFile = join(folder, "missing.txt");
const makefiles = { linux: "lin", darwin: "mac" };

/** Runs a program quietly; what it printed becomes the message of its failure. */
function run(program, args, options = {}) {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: "pipe", ...options });
  } catch (error) {
    if (error.code === "ENOENT") throw new Error(`${program} is not installed`);
    const said = `${error.stderr ?? ""}`.trim().split("\n").at(-1);
    throw new Error(`${program} failed: ${said || error.message}`);
  }
}

function build() {
  const system = makefiles[platform()];
  if (system === undefined) throw new Error(`@agoric/xsnap does not build on ${platform()}`);
  run("make", ["--version"]);
  run("cc", ["--version"]);
  const work = mkdtempSync(join(tmpdir(), "sluice-xs-"));
  try {
    const npm = process.env.npm_execpath;
    const packArgs = [
      "pack",
      `@agoric/xsnap@${version}`,
      "--ignore-scripts",
      "--pack-destination",
      work,
    ];
    if (npm === undefined) run("npm", packArgs, { cwd: work });
    else run(process.execPath, [npm, ...packArgs], { cwd: work });
    const tarball = join(work, `agoric-xsnap-${version}.tgz`);
    const found = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`;
    if (found !== integrity)
      throw new Error(`@agoric/xsnap@${version} has ${found}, wanted ${integrity}`);
    run("tar", ["xzf", tarball, "-C", work]);
    const source = join(work, "package");
    const makefile = join(source, "xsnap-native/xsnap/makefiles", system);
    const settings = [
      "GOAL=release",
      `MODDABLE=${join(source, "moddable")}`,
      `XSNAP_VERSION=${version}`,
    ];
    run(
      "make",
      ["-C", makefile, "-f", "xsnap-worker.mk", `-j${availableParallelism()}`, ...settings],
      {
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    const built = join(source, "xsnap-native/xsnap/build/bin", system, "release/xsnap-worker");
    mkdirSync(folder, { recursive: true });
    copyFileSync(built, worker);
    rmSync(reasonFile, { force: true });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (!existsSync(worker)) {
  try {
    console.error("sluice: building the XS engine from its sources; this takes about a minute");
    build();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    mkdirSync(folder, { recursive: true });
    writeFileSync(reasonFile, reason);
    console.error(`sluice: engine xs is left out: ${reason}`);
  }
}
