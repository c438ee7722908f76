import assert from "node:assert/strict";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openTrust } from "../../support/trust-repository.ts";
import { makeImage, TestFleet } from "./test-fleet.ts";
import { online, publish } from "./trust/trust-scene.ts";

export interface CutWork {
  readonly kind: "publish" | "rollout" | "migration" | "trust";
  readonly folder: string;
  /** What the offline keys signed. */
  readonly repository: string;
}

export function openCut(context: TestContext, folder: string): Promise<TestFleet> {
  return TestFleet.open(context, {
    databaseFile: join(folder, "fleet.sqlite"),
    artifactsFolder: join(folder, "artifacts"),
    trust: { folder: join(folder, "trust"), onlineSigner: online },
    readinessEveryMs: 0,
  });
}

/** Does the work that is cut, from `begins` on; done once more it comes to the same. */
export async function doWork(
  context: TestContext,
  { kind, folder, repository }: CutWork,
  begins: () => void,
): Promise<TestFleet> {
  if (kind === "migration") begins();
  const fleet = await openCut(context, folder);
  begins();
  switch (kind) {
    case "publish": {
      const { bytes } = await makeImage({ version: "2.0.0", payloadBytes: 100_000 });
      const answer = await fleet.publishBytes(bytes);
      assert.ok(answer.statusCode < 300, answer.body);
      break;
    }
    case "rollout": {
      const { items } = await fleet.api("GET", "/rollouts");
      const wanted = { name: "r", releaseVersion: "1.0.0", start: true };
      if (items.length === 0) await fleet.api("POST", "/rollouts", wanted);
      break;
    }
    case "trust":
      await publish(fleet, openTrust(repository));
      break;
    case "migration":
      break;
    default:
      kind satisfies never;
  }
  return fleet;
}
