import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryFolder } from "./command-line.ts";

const modulePath =
  ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"].find(existsSync) ?? "";

/** A test that needs a PKCS#11 token passes this as its `skip` option. */
export const skipWithoutSoftHsm: string | false =
  modulePath !== "" &&
  spawnSync("softhsm2-util", ["--version"]).status === 0 &&
  spawnSync("pkcs11-tool", ["--help"]).error === undefined
    ? false
    : 'skipped: no SoftHSM2 with pkcs11-tool ("apt-get install softhsm2 opensc")';

export interface SoftToken {
  readonly pin: string;
  readonly folder: string;
  /** The address of a key by its label. */
  address(label: string): string;
}

/**
 * A token of its own in a temporary folder, with P-256 keys of these labels; gone with the test.
 */
export function softToken(context: TestContext, labels: readonly string[]): SoftToken {
  const folder = temporaryFolder(context);
  const before = process.env["SOFTHSM2_CONF"];
  const configuration = join(folder, "softhsm2.conf");
  mkdirSync(join(folder, "tokens"));
  writeFileSync(configuration, `directories.tokendir = ${join(folder, "tokens")}\n`);
  process.env["SOFTHSM2_CONF"] = configuration;
  context.after(() => {
    if (before === undefined) delete process.env["SOFTHSM2_CONF"];
    else process.env["SOFTHSM2_CONF"] = before;
  });
  const pin = "57289431";
  run(
    "softhsm2-util",
    "--init-token",
    "--free",
    "--label",
    "sluice",
    "--so-pin",
    pin,
    "--pin",
    pin,
  );
  for (const [index, label] of labels.entries())
    run(
      ...(["pkcs11-tool", "--module", modulePath, "--token-label", "sluice", "--login"] as const),
      ...["--pin", pin, "--keypairgen", "--key-type", "EC:prime256v1"],
      ...["--label", label, "--id", `0${index + 1}`],
    );
  const address = (label: string): string =>
    `pkcs11:token=sluice;object=${label}?module-path=${modulePath}`;
  return { pin, folder, address };
}

function run(command: string, ...argv: string[]): void {
  const ran = spawnSync(command, argv, { encoding: "utf8" });
  if (ran.status !== 0) throw new Error(`${command} ended with ${ran.status}: ${ran.stderr}`);
}
