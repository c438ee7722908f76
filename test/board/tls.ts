import assert from "node:assert/strict";
import { join } from "node:path";
import { trustedReleases } from "../../hosts/bench/trust/trusted-releases.ts";
import {
  BoardDevice,
  type BoardDeviceOptions,
  deviceId,
} from "../../hosts/esp32/emulator/board-device.ts";
import { hardware, signed } from "../../hosts/esp32/emulator/board-image.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import {
  authority,
  certificate,
  otherAuthority,
  served,
  servedToDevices,
  withClient,
  withoutClient,
} from "../support/tls.ts";
import { everythingBytesMax, stackBytesMax } from "./memory-bounds.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";
import { untilUpdated } from "./until-updated.ts";

const pollSeconds = 240;
const hosts = ["10.0.2.2"];

/**
 * HTTPS on the chip: with the enrolled authority, not with another, and with everything else that
 * is signed.
 */
export async function tlsScenarios(stage: Stage): Promise<Scenario[]> {
  return [
    { name: "TLS with the enrolled authority", run: () => checkKnown(stage) },
    { name: "an update with TLS and signed metadata", run: () => checkEverything(stage) },
    { name: "TLS with another authority", run: () => checkStranger(stage) },
  ];
}

/** The reference firmware, as 1.0.0. */
async function startedWith(
  { kit, directory }: Stage,
  name: string,
  options: Pick<BoardDeviceOptions, "tls" | "trust">,
): Promise<BoardDevice> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  return BoardDevice.start({ parts: kit, directory: join(directory, name), image, ...options });
}

async function checkKnown(stage: Stage): Promise<void> {
  const server = served(certificate({ hosts }), authority);
  const one = await startedWith(stage, "known", { tls: { server, credentials: withoutClient } });
  await closing(stage.checks, one, async (check) => {
    await check("polls over TLS", async () => {
      const started = performance.now();
      await one.powerOn();
      await until("a poll over TLS", pollSeconds, async () => {
        return (await one.fleet.device(deviceId)).running?.version === "1.0.0";
      });
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`first poll over TLS ${seconds} s after power-on: ${JSON.stringify(one.memory)}`);
    });
  });
}

async function checkStranger(stage: Stage): Promise<void> {
  const server = served(certificate({ hosts, issuer: otherAuthority }), otherAuthority);
  const one = await startedWith(stage, "stranger", { tls: { server, credentials: withoutClient } });
  await closing(stage.checks, one, async (check) => {
    await check("tells nothing to a server of another authority", async () => {
      const chip = await one.powerOn();
      await chip.waitFor(/certificate-untrusted/, { timeoutMs: pollSeconds * 1000 });
      assert.deepEqual(one.fleet.requests, []);
    });
  });
}

/**
 * The most that the firmware can be asked for at once: a client certificate, and what the offline
 * keys signed.
 */
async function checkEverything(stage: Stage): Promise<void> {
  const { kit, directory } = stage;
  const one = await startedWith(stage, "everything", {
    tls: { server: servedToDevices(certificate({ hosts })), credentials: withClient() },
    trust: await trustedReleases(join(directory, "offline"), hardware),
  });
  await closing(stage.checks, one, async (check) => {
    const next = await signed("1.1.0", kit.reference.payload, kit.keys);
    const rollout = await one.offer("1.1.0", next);
    await check(
      "takes an update over TLS with a client certificate and signed metadata",
      async () => {
        await one.powerOn();
        await untilUpdated(one, rollout);
        assert.deepEqual(one.fleet.refusedHandshakes, []);
        assert.ok(one.fleet.requests.some(({ path }) => path.includes("/tuf/")));
      },
    );
    await check("has the memory for all of it at once", () => {
      const { slots = 0, chunks = 0, stack = 0 } = one.memory;
      console.log(`memory at the worst moment with TLS and trust: ${JSON.stringify(one.memory)}`);
      assert.ok(slots > 0 && slots + chunks <= everythingBytesMax, `${slots} + ${chunks} bytes`);
      assert.ok(stack <= stackBytesMax(), `${stack} bytes of the native stack`);
    });
  });
}
