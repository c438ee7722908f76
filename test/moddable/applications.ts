import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ModdableSdk, projectRoot } from "../../hosts/moddable/sdk.ts";

// Manifests of applications that are built beside the reference firmware.

export const referenceManifest = join(projectRoot, "manifest.json");

const base = "$(MODDABLE)/examples/manifest_base.json";
const simulator = join(projectRoot, "hosts/moddable/manifest.json");
const firmware = join(projectRoot, "src/manifest.json");

const threeLines = `import { startUpdates } from "sluice/sluice";

startUpdates();
trace("works\\n");
`;

/** What an application adds to have updates: one include and three lines. */
export function includingApplication(sdk: ModdableSdk): string {
  const include = [base, firmware, simulator];
  const manifest = { include, modules: { "*": "./main" } };
  return sdk.application("including", manifest, { "main.ts": threeLines });
}

/** The same without the simulator's modules: where those are not, the SDK's typings are. */
export function typedApplication(sdk: ModdableSdk): string {
  const manifest = { include: [base, firmware], modules: { "*": "./main" } };
  return sdk.application("typed", manifest, { "main.ts": threeLines });
}

/**
 * The firmware that asks its server for the answers of http-answers.ts, on the SDK's own modules.
 */
export function askingApplication(sdk: ModdableSdk): string {
  const main = `import { openPorts } from "sluice/device/ports";
import { readIdentity } from "sluice/update/settings";
import { askAnswers } from "ask-answers";

const { http, keyValue } = openPorts();
const { serverUrl } = readIdentity(keyValue);
askAnswers(http, serverUrl, (line) => trace(line + "\\n"));
`;
  const asking = join(projectRoot, "test/support/firmware/ask-answers");
  return sdk.application(
    "asking",
    {
      include: [base, firmware, simulator],
      modules: { "*": "./main", "ask-answers": asking },
      typescript: { tsconfig: { compilerOptions: { noCheck: true, noResolve: true } } },
    },
    { "main.js": main },
  );
}

/** A release whose only code is what a test wants of it. */
export function brokenApplication(sdk: ModdableSdk, name: string, code: string): string {
  return sdk.application(
    name,
    { include: [base], modules: { "*": "./main" } },
    { "main.js": `${code}\n` },
  );
}

/** Tests of the SDK, as they are in its folder, and ours on its native modules. */
export function sdkTestApplication(
  sdk: ModdableSdk,
  folders: readonly string[],
  list: Readonly<Record<string, unknown>>,
): string {
  const lines = Object.entries(list).map(
    ([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`,
  );
  const tests = folders.map((folder) => [
    `t/${folder}/*`,
    `$(MODDABLE)/tests/modules/io/${folder}/*`,
  ]);
  return sdk.application(
    "sdk-tests",
    {
      include: [base, firmware, simulator],
      creation: { stack: 1024 },
      defines: { main: { async: 1 } },
      modules: {
        "*": ["./main", "./list"],
        harness: "$(MODDABLE)/tools/test262/harness",
        ...Object.fromEntries(tests),
      },
      preload: ["harness"],
      strip: [],
      typescript: { tsconfig: { compilerOptions: { noCheck: true, noResolve: true } } },
    },
    {
      "main.js": readFileSync(join(projectRoot, "test/moddable/application/sdk-tests.js"), "utf8"),
      "list.js": lines.join(""),
    },
  );
}
