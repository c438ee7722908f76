import assert from "node:assert/strict";
import { join } from "node:path";
import { BoardDevice } from "../../hosts/esp32/emulator/board-device.ts";
import { signed } from "../../hosts/esp32/emulator/board-image.ts";
import { AnswerServer } from "../support/answer-server.ts";
import { firstDifference, httpAnswers } from "../support/http-answers.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";

const answersMs = 600_000;

/** The answers that every engine reads alike, over the chip's own TCP/IP. */
export async function answerScenarios(stage: Stage): Promise<Scenario[]> {
  const firmware = stage.kit.other("asking");
  return [{ name: "HTTP answers", needs: firmware, run: () => readAnswers(stage) }];
}

async function readAnswers({ checks, kit, directory }: Stage): Promise<void> {
  const { payload } = await kit.other("asking");
  const image = await signed("1.0.0", payload, kit.keys);
  const server = await AnswerServer.start();
  const serverUrl = `http://127.0.0.1:${server.port}`;
  const folder = join(directory, "answers");
  const one = await BoardDevice.start({ parts: kit, directory: folder, image, serverUrl });
  try {
    await closing(checks, one, async (check) => {
      await check(`reads ${httpAnswers.length} answers as every engine does`, async () => {
        const chip = await one.powerOn();
        await chip.waitFor(/^answers end/, { timeoutMs: answersMs });
        assert.equal(firstDifference(one.console), null);
        assert.equal(one.applicationStarts, 1);
      });
    });
  } finally {
    server.close();
  }
}
