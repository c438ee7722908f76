import assert from "node:assert/strict";
import { test } from "node:test";
import { readBootloaderFile } from "../../../hosts/esp32/bootloader-file.ts";
import { deviceLayout } from "../../../hosts/flash/board-layout.ts";
import { bootloaderProgram, recordOf } from "../../../hosts/mcuboot-model/bootloader-program.ts";
import { sluiceConfig } from "../../../hosts/mcuboot-model/sluice-config.ts";
import { testSigner } from "../../support/image-signer.ts";

const board = { soc: "esp32c3", flashMiB: 4 } as const;
const record = recordOf(sluiceConfig(deviceLayout("esp32-4m"), [testSigner(3).key]), 4);

test("a bootloader for the board's slots fits its firmware, and says what it is", () => {
  const { text, refusal } = readBootloaderFile(board, bootloaderProgram(record));
  assert.equal(refusal, null);
  assert.match(text, /^swap-using-move;ecdsa-p256;align=8\/4;slot=1835008\/448;boots=3;/);
});

test("a bootloader for another flash, of another mode or without a record does not fit", () => {
  const cases: ReadonlyArray<readonly [Uint8Array, 4 | 8, RegExp]> = [
    [bootloaderProgram(record), 8, /sectors of a slot as 448, this firmware 960/],
    [bootloaderProgram({ ...record, mode: "overwrite-only" }), 4, /works by overwrite-only/],
    [new Uint8Array(70_000).fill(0xe9), 4, /does not say how it swaps/],
    [new Uint8Array(0), 4, /does not say how it swaps/],
  ];
  for (const [file, flashMiB, says] of cases)
    assert.match(readBootloaderFile({ ...board, flashMiB }, file).refusal?.message ?? "", says);
});

test("a bootloader without a record fits a firmware that accepts those", () => {
  const { text, refusal } = readBootloaderFile(board, new Uint8Array(100), "accept");
  assert.equal(refusal, null);
  assert.equal(text, "unknown (no-record)");
});
