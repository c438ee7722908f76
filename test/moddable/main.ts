// The firmware on the Moddable SDK: npm run test:moddable. Exits 2 without the SDK, 1 when a check
// failed; the last line counts.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { findSdk, type ModdableSdk, projectRoot, sdkVersion } from "../../hosts/moddable/sdk.ts";
import { checkAnswers } from "./answers.ts";
import { brokenApplication, includingApplication, referenceManifest } from "./applications.ts";
import { Checks } from "./checks.ts";
import { checkDocument } from "./document.ts";
import { checkHttps } from "./https.ts";
import { checkSdkTests } from "./sdk-tests.ts";
import { checkTypings } from "./typings.ts";
import { checkUpdates, type Payloads } from "./updates.ts";

const found = findSdk();
if (found.ok) {
  const { version } = found.sdk;
  if (version !== sdkVersion)
    console.error(`note: SDK ${version ?? "without a version"}; this was tried with ${sdkVersion}`);
  process.exitCode = await runChecks(found.sdk);
} else {
  for (const line of found.missing) console.error(line);
  process.exitCode = 2;
}

async function runChecks(sdk: ModdableSdk): Promise<number> {
  const checks = new Checks();
  const directory = join(projectRoot, ".build", "moddable", "runs", String(process.pid));
  try {
    const runner = await sdk.runner();
    await checkTypings(checks, sdk);
    const payloads = await buildPayloads(checks, sdk);
    await checkSdkTests(checks, sdk, runner, directory);
    await checkAnswers(checks, sdk, { directory, runner });
    if (payloads !== null) {
      await checkHttps(checks, { directory, runner, payload: payloads.reference });
      await checkUpdates(checks, { directory, runner }, payloads);
    }
    await checkDocument(checks, { sdk, runner, directory });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return checks.end();
}

/** Null when one does not build, which is a failed check. */
async function buildPayloads(checks: Checks, sdk: ModdableSdk): Promise<Payloads | null> {
  const built: Record<string, Uint8Array> = {};
  const release = async (name: keyof Payloads, manifest: string): Promise<void> => {
    await checks.check(`mcconfig builds the ${name} firmware`, async () => {
      built[name] = await sdk.payload(await sdk.build({ manifest, variant: "release" }));
    });
  };
  await release("reference", referenceManifest);
  await release("including", includingApplication(sdk));
  await release(
    "throwing",
    brokenApplication(sdk, "throwing", 'throw new Error("a bad release");'),
  );
  await release("hanging", brokenApplication(sdk, "hanging", "for (;;);"));
  await checks.check("mcconfig builds the reference firmware for debugging", async () => {
    await sdk.build({ manifest: referenceManifest, variant: "debug" });
  });
  const { reference, including, throwing, hanging } = built;
  if (!reference || !including || !throwing || !hanging) return null;
  return { reference, including, throwing, hanging };
}
