import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import type { Checks } from "../moddable/checks.ts";
import { authority, certificate, otherAuthority, served, withoutClient } from "../support/tls.ts";
import { BoardDevice, deviceId } from "./board-device.ts";
import { type Kit, signed } from "./kit.ts";

const pollSeconds = 180;
const hosts = ["10.0.2.2"];

/** HTTPS on the chip: one poll with the enrolled authority, none with another. */
export async function checkTls(checks: Checks, kit: Kit, directory: string): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  await checks.check("polls over TLS", async () => {
    const server = served(certificate({ hosts }), authority);
    const tls = { server, credentials: withoutClient };
    const one = await BoardDevice.start({ kit, directory: join(directory, "good"), image, tls });
    try {
      const started = performance.now();
      await one.powerOn();
      await until("a poll over TLS", pollSeconds, async () => {
        return (await one.fleet.device(deviceId)).running?.version === "1.0.0";
      });
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`first poll over TLS ${seconds} s after power-on: ${JSON.stringify(one.memory)}`);
    } finally {
      if (process.env["SLUICE_KEEP"] !== undefined) console.log(one.console.slice(-30).join("\n"));
      await one.close();
    }
  });
  await checks.check("tells nothing to a server of another authority", async () => {
    const server = served(certificate({ hosts, issuer: otherAuthority }), otherAuthority);
    const tls = { server, credentials: withoutClient };
    const one = await BoardDevice.start({ kit, directory: join(directory, "bad"), image, tls });
    try {
      const chip = await one.powerOn();
      await chip.waitFor(/certificate-untrusted/, { timeoutMs: pollSeconds * 1000 });
      assert.deepEqual(one.fleet.requests, []);
    } finally {
      await one.close();
    }
  });
}
