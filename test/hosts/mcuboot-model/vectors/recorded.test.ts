import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { replayExhaustive } from "../../../../hosts/mcuboot-model/vectors/exhaustive.ts";
import { replayScenario } from "../../../../hosts/mcuboot-model/vectors/scenario.ts";
import { VectorFolder } from "../../../../hosts/mcuboot-model/vectors/vector-folder.ts";
import { skipWithoutVectors, vectorsDirectory } from "../../../support/vectors.ts";

// Runs of the real MCUboot 2.4.0. `npm run vectors -- DIR` replays all of them with all cuts; here
// a part, for speed.
describe("recorded boots of MCUboot", { skip: skipWithoutVectors }, () => {
  const open = (): VectorFolder => new VectorFolder(join(vectorsDirectory ?? "", "mcuboot"));

  test("every recorded scenario is reproduced to the byte, the upstream defects included", () => {
    const folder = open();
    const failures = folder
      .scenarios()
      .map((scenario) => [scenario.text("id"), replayScenario(folder, scenario)] as const)
      .filter(([, differences]) => differences.length > 0);
    assert.deepEqual(failures, []);
  });

  test("a cut at every operation of our own mode ends as recorded", () => {
    const folder = open();
    const ours = folder.exhaustiveFiles().filter((file) => file.includes("/ex-m"));
    assert.ok(ours.length > 0);
    for (const file of ours)
      assert.deepEqual(replayExhaustive(folder, folder.exhaustive(file), ["half"]), [], file);
  });
});
