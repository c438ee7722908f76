import assert from "node:assert/strict";
import { join } from "node:path";
import { BoardDevice, deviceId } from "../../hosts/esp32/emulator/board-device.ts";
import { signed } from "../../hosts/esp32/emulator/board-image.ts";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import { authority, certificate, otherAuthority, served, withoutClient } from "../support/tls.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";

const pollSeconds = 240;
const hosts = ["10.0.2.2"];

/** HTTPS on the chip: one poll with the enrolled authority, none with another. */
export async function tlsScenarios(stage: Stage): Promise<Scenario[]> {
  return [
    { name: "TLS with the enrolled authority", run: () => checkKnown(stage) },
    { name: "TLS with another authority", run: () => checkStranger(stage) },
  ];
}

async function checkKnown({ checks, kit, directory }: Stage): Promise<void> {
  const server = served(certificate({ hosts }), authority);
  const one = await BoardDevice.start({
    parts: kit,
    directory: join(directory, "known"),
    image: await signed("1.0.0", kit.reference.payload, kit.keys),
    tls: { server, credentials: withoutClient },
  });
  await closing(checks, one, async (check) => {
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

async function checkStranger({ checks, kit, directory }: Stage): Promise<void> {
  const server = served(certificate({ hosts, issuer: otherAuthority }), otherAuthority);
  const one = await BoardDevice.start({
    parts: kit,
    directory: join(directory, "stranger"),
    image: await signed("1.0.0", kit.reference.payload, kit.keys),
    tls: { server, credentials: withoutClient },
  });
  await closing(checks, one, async (check) => {
    await check("tells nothing to a server of another authority", async () => {
      const chip = await one.powerOn();
      await chip.waitFor(/certificate-untrusted/, { timeoutMs: pollSeconds * 1000 });
      assert.deepEqual(one.fleet.requests, []);
    });
  });
}
