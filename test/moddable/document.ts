import { mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { openDisplay } from "../../hosts/moddable/display.ts";
import { type ModdableSdk, projectRoot } from "../../hosts/moddable/sdk.ts";
import { commandsOf } from "../support/documents.ts";
import { freePort, Terminals } from "../support/terminals.ts";
import type { Checks } from "./checks.ts";

const section = "## From nothing to an updated application";
const documentPort = "8080";

/** docs/moddable.md as somebody types it who has nothing but the SDK and a checkout. */
export async function checkDocument(
  checks: Checks,
  { sdk, runner, directory }: { sdk: ModdableSdk; runner: string; directory: string },
): Promise<void> {
  const folder = join(directory, "document");
  const lacks = await lackForMcsim(sdk, runner);
  if (lacks !== null) console.log(`skipped: mcsim, the runner instead: ${lacks}`);
  const terminals = await terminalsIn(folder, sdk, lacks === null ? "" : " --sim runner");
  const withWords = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      console.log(terminals.words());
      throw error;
    }
  };
  try {
    const leads = await checks.check(
      "docs/moddable.md leads from nothing to an updated application",
      () => withWords(() => typeDocument(terminals)),
    );
    if (!leads) return;
    await checks.check("the board of docs/moddable.md goes back from a release that throws", () =>
      withWords(() => takeBadRelease(terminals)),
    );
  } finally {
    await terminals.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder with nothing but a checkout in it. */
async function terminalsIn(
  folder: string,
  sdk: ModdableSdk,
  simulator: string,
): Promise<Terminals> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  symlinkSync(projectRoot, join(folder, "sluice"));
  const port = String(await freePort());
  return new Terminals({
    folder,
    environment: sdk.environment,
    replaced: (text) =>
      text
        .replaceAll(documentPort, port)
        .replaceAll(/moddable run \S+/g, (words) => `${words}${simulator}`),
  });
}

async function typeDocument(terminals: Terminals): Promise<void> {
  const text = readFileSync(join(projectRoot, "docs", "moddable.md"), "utf8");
  for (const block of commandsOf(text, section)) await terminals.type(block);
}

/** Offered to the board that the guide leaves. */
async function takeBadRelease(terminals: Terminals): Promise<void> {
  const release = [
    "sed -i '1i throw new Error(\"a bad release\");' blink/main.ts",
    "sluice moddable release blink --version 1.2.0 --key image.pem --out bad.bin",
    "sluice release publish bad.bin",
    "sluice rollout create --release 1.2.0 --stages 100 --soak 1s --start",
  ];
  await terminals.type({ terminal: null, commands: release.join("\n"), shown: [] });
  await terminals.type({
    terminal: "board",
    commands: "sluice moddable run blink",
    shown: [
      "-- booted 1.1.0 power-on",
      "-- booted 1.2.0 software",
      "-- booted 1.2.0 exception",
      "-- booted 1.2.0 exception",
      "-- booted 1.1.0 exception",
      "info: rolledBack -> idle on polled",
    ],
  });
  const shown = ["state     rolled-back (crashed)"];
  await terminals.type({ terminal: null, commands: "sluice device show moddable-1", shown });
}

async function lackForMcsim(sdk: ModdableSdk, runner: string): Promise<string | null> {
  const missing = sdk.missingForMcsim();
  if (missing !== null) return missing;
  const opened = await openDisplay(runner);
  if (!opened.ok) return opened.message;
  await opened.display.close();
  return null;
}
