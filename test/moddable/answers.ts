import assert from "node:assert/strict";
import { join } from "node:path";
import { OneDevice } from "../../hosts/moddable/one-device.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import type { ModdableSdk } from "../../hosts/moddable/sdk.ts";
import { AnswerServer } from "../support/answer-server.ts";
import { firstDifference, httpAnswers } from "../support/http-answers.ts";
import { askingApplication } from "./applications.ts";
import type { Checks } from "./checks.ts";

const answersSeconds = 180;

/** The answers that every engine reads alike, over the SDK's own sockets. */
export async function checkAnswers(
  checks: Checks,
  sdk: ModdableSdk,
  options: { readonly directory: string; readonly runner: string },
): Promise<void> {
  await checks.check(`reads ${httpAnswers.length} answers as every engine does`, async () => {
    const manifest = askingApplication(sdk);
    const payload = await sdk.payload(await sdk.build({ manifest, variant: "release" }));
    const server = await AnswerServer.start();
    const serverUrl = `http://127.0.0.1:${server.port}`;
    const directory = join(options.directory, "answers");
    const lines: string[] = [];
    const logged = (line: string): void => void lines.push(line);
    const one = await OneDevice.start({ ...options, directory, payload, serverUrl, logged });
    try {
      void one.powerOn();
      await until("the last answer", answersSeconds, () => lines.includes("answers end"));
      assert.equal(firstDifference(lines), null);
      assert.deepEqual(one.board.boots, ["booted 1.0.0 power-on"]);
    } finally {
      await one.close();
      server.close();
    }
  });
}
