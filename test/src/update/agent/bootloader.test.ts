import assert from "node:assert/strict";
import { test } from "node:test";
import { bootloaderProgram } from "../../../../hosts/mcuboot-model/bootloader-program.ts";
import type { BootloaderRecord } from "../../../../src/image/bootloader-record.ts";
import { AgentBench, slotBytes } from "../../../support/agent-bench.ts";
import { smallImage } from "../../../support/small-images.ts";
import { stateText } from "../machine/notation.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 100_000);

/** The bootloader for the bench's slots. */
const record: BootloaderRecord = {
  mode: "swap-using-move",
  signature: "ecdsa-p256",
  maxAlignBytes: 8,
  writeBlockBytes: 4,
  sectorBytes: 4096,
  imageSectorsMax: slotBytes / 4096,
  primary: { offsetBytes: 0, sizeBytes: slotBytes },
  secondary: { offsetBytes: slotBytes, sizeBytes: slotBytes },
  trialBoots: 3,
  watchdogMs: 60_000,
  validatesPrimary: true,
  downgradePrevention: "security-counter",
};

function partition(content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4096).fill(0xff);
  bytes.set(content);
  return bytes;
}

const agreeing = partition(bootloaderProgram(record));
const overwriting = partition(bootloaderProgram({ ...record, mode: "overwrite-only" }));
/** An older bootloader of ours, or one that somebody built without our module. */
const silent = partition(bootloaderProgram(record).fill(0, 32));

function offered(
  bootloader: Uint8Array | null,
  settings: ConstructorParameters<typeof AgentBench>[1] = {},
): AgentBench {
  const bench = new AgentBench(running, settings);
  bench.bootloader = bootloader;
  bench.server.offer = { actionId: "7", image: newer };
  bench.server.wantsAttributes = true;
  bench.boot();
  return bench;
}

const refused = "7 closed failure state=failed version=1.1.0 reason=bootloader-mode";

test("updates under a bootloader that works as the firmware does, and tells the server of it", async () => {
  const bench = offered(agreeing);
  await bench.untilRestart();
  assert.equal(
    bench.server.attributes[0]?.data["bootloader"],
    "swap-using-move;ecdsa-p256;align=8/4;slot=196608/48;boots=3;watchdog=60;validates;downgrade=security-counter",
  );
  assert.deepEqual(
    bench.log.lines.filter((line) => /bootloader/.test(line)),
    [],
  );
});

test("refuses every update under a bootloader of another mode, before a byte of it, and says why", async () => {
  const bench = offered(overwriting);
  await bench.pass(60_000);
  assert.equal(bench.server.reports.at(-1), refused);
  assert.equal(bench.requests.filter((line) => line.includes("/file/")).length, 0);
  assert.deepEqual(bench.chip.counts.erases, 0);
  assert.match(
    bench.log.lines.join("\n"),
    /no updates: the bootloader works by overwrite-only, this firmware by swap-using-move/,
  );
  assert.match(bench.server.attributes[0]?.data["bootloader"] ?? "", /^overwrite-only;/);
});

test("refuses every update under a bootloader that says nothing", async () => {
  const bench = offered(silent);
  await bench.pass(60_000);
  assert.equal(bench.server.reports.at(-1), refused);
  assert.equal(bench.server.attributes[0]?.data["bootloader"], "unknown (no-record)");
});

test("updates under a bootloader that says nothing when the build accepts that, and warns", async () => {
  const bench = offered(silent, { unknownBootloader: "accept" });
  await bench.untilRestart();
  assert.match(bench.log.lines.join("\n"), /bootloader unknown \(no-record\): taken to swap using/);
});

test("does not ask a board that tells nothing of its bootloader", async () => {
  const bench = offered(null);
  await bench.untilRestart();
  assert.equal(bench.server.attributes[0]?.data["bootloader"], "unknown (not-told)");
});

test("asks for no swap when the bootloader became another while an image was staged", async () => {
  const bench = offered(agreeing);
  bench.power = () => ({ batteryPercent: bench.kind === "verifying" ? 1 : 100, charging: false });
  await bench.until(() => bench.kind === "deferred");
  bench.bootloader = overwriting;
  bench.power = () => ({ batteryPercent: 100, charging: true });
  bench.boot();
  await bench.pass(600_000);
  assert.equal(bench.restarts, 0);
  assert.equal(bench.server.reports.at(-1), refused);
});

test("does not keep a new image that no other could follow: its trial ends, and the old one comes back", async () => {
  const bench = offered(null);
  await bench.untilRestart();
  bench.swap();
  bench.bootloader = silent;
  bench.boot("software");
  await bench.untilRestart();
  assert.equal(stateText(bench.state), "trial 7 bootloader-mode");
  bench.revert();
  bench.bootloader = null;
  bench.boot("software");
  await bench.pass(60_000);
  assert.equal(
    bench.server.reports.at(-1),
    "7 closed failure state=rolledBack version=1.1.0 reason=bootloader-mode",
  );
});
