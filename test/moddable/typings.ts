import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type ModdableSdk, projectRoot } from "../../hosts/moddable/sdk.ts";
import { typedApplication } from "./applications.ts";
import type { Checks } from "./checks.ts";

const prefix = "declared:";

/**
 * Each line says that what the SDK's typings give may stand where our declarations are expected.
 * The SDK's are those that mcconfig gives an application, ours are the same file under other names.
 */
const assertions = `
import flash, { Flash } from "embedded:storage/flash";
import * as ourFlash from "${prefix}embedded:storage/flash";
import keyValue, { Storage } from "embedded:storage/key-value";
import * as ourKeyValue from "${prefix}embedded:storage/key-value";
import Analog from "embedded:io/analog";
import * as ourAnalog from "${prefix}embedded:io/analog";
import timer from "timer";
import * as ourTimer from "${prefix}timer";
import time from "time";
import * as ourTime from "${prefix}time";
import TextEncoder from "text/encoder";
import * as ourEncoder from "${prefix}text/encoder";
import TextDecoder from "text/decoder";
import * as ourDecoder from "${prefix}text/decoder";
import { Digest } from "crypt";
import * as ourCrypt from "${prefix}crypt";
import update from "embedded:update";
import { createUpdate } from "sluice/slots/update";

flash satisfies typeof ourFlash.default;
(0 as never as Flash) satisfies ourFlash.Flash;
keyValue satisfies typeof ourKeyValue.default;
(0 as never as Storage) satisfies ourKeyValue.Storage;
Analog satisfies typeof ourAnalog.default;
timer.set satisfies typeof ourTimer.default.set;
timer.clear(timer.set(() => {})); // handles are opaque on both sides: only that they fit each other
time satisfies typeof ourTime.default;
TextEncoder satisfies typeof ourEncoder.default;
TextDecoder satisfies typeof ourDecoder.default;
Digest satisfies typeof ourCrypt.Digest;

// Here ours is the implementation and the SDK's typing the user.
(0 as never as ReturnType<typeof createUpdate>) satisfies typeof update;
`;

/** Holds our declarations and our sources against the typings of the SDK. */
export async function checkTypings(checks: Checks, sdk: ModdableSdk): Promise<void> {
  const manifest = typedApplication(sdk);
  const modules = await sdk.configure(manifest);
  const settings = join(modules, "tsconfig-base.json");

  await checks.check("our declarations hold against the SDK's typings", async () => {
    const folder = dirname(manifest);
    const declared = readFileSync(join(projectRoot, "src", "device", "sdk.d.ts"), "utf8");
    const names = [...declared.matchAll(/^declare module "([^"]+)"/gm)].map(([, name]) => name);
    for (const name of names)
      assert.ok(assertions.includes(`"${prefix}${name}"`), `${name} is unchecked`);
    const renamed = declared.replaceAll('declare module "', `declare module "${prefix}`);
    writeFileSync(join(folder, "declared.d.ts"), renamed);
    writeFileSync(join(folder, "assertions.ts"), assertions);
    await compile(sdk, folder, settings, ["declared.d.ts", "assertions.ts"]);
  });

  await checks.check("an application of three lines compiles against them, strictly", () =>
    compile(sdk, dirname(manifest), settings, ["main.ts"]),
  );
}

async function compile(
  sdk: ModdableSdk,
  folder: string,
  settings: string,
  files: readonly string[],
): Promise<void> {
  const project = join(folder, `tsconfig-${files.at(-1)}.json`);
  const compilerOptions = {
    noEmit: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
  };
  writeFileSync(project, JSON.stringify({ extends: settings, compilerOptions, files }, null, 2));
  const { exitCode, output } = await sdk.run("tsc", ["-p", project], folder);
  assert.equal(exitCode, 0, output);
}
