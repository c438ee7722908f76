import assert from "node:assert/strict";
import { test } from "node:test";
import { PowerCut } from "../../../hosts/flash/operation.ts";
import { Configuration } from "../../../src/config/configuration.ts";
import {
  ConfigurationUpdate,
  configurationTrialMs,
} from "../../../src/config/configuration-update.ts";
import { toHex } from "../../../src/image/hex.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import type { ConfigurationOffer, Feedback } from "../../../src/protocol/ddi.ts";
import { parseDigestHex } from "../../../src/protocol/digest.ts";
import type { SmallFile } from "../../../src/transfer/small-file.ts";
import { ConfigurationSigner } from "../../support/configuration-signer.ts";
import { CuttableKeyValue } from "../../support/storage-cuts.ts";

const signer = new ConfigurationSigner(31);
const bytesMax = 4096;

const seal = (version: number, more: object = {}): Uint8Array =>
  signer.seal({ version, schema: 1, values: { interval: version }, ...more });

function deployment(
  version: number,
  envelope: Uint8Array,
  change: Partial<ConfigurationOffer> = {},
): ConfigurationOffer {
  const hasher = nobleCrypto.sha256();
  hasher.update(envelope);
  const fileHash = parseDigestHex(toHex(hasher.digest()));
  assert.ok(fileHash !== null);
  return {
    kind: "configuration",
    actionId: "7",
    update: "forced",
    forced: true,
    approved: false,
    retry: false,
    windowOpen: true,
    version: String(version),
    fileName: "c.slc",
    fileHash,
    fileBytes: envelope.length,
    url: "http://server/c.slc",
    configurationVersion: version,
    ...change,
  };
}

/** A device with its storage; `reboot` starts it anew on what the storage holds. */
class Device {
  readonly keyValue = new CuttableKeyValue();
  readonly told: string[] = [];
  online = true;
  answer: (wanted: ConfigurationOffer) => SmallFile = () => broken;
  fetches = 0;
  changes = 0;
  configuration = this.#open();
  update = this.#start();

  #open(): Configuration {
    const schemas = { min: 1, max: 3 };
    const keys = [signer.publicKey];
    return new Configuration({ keyValue: this.keyValue, crypto: nobleCrypto, keys, schemas });
  }

  #start(): ConfigurationUpdate {
    return new ConfigurationUpdate({
      configuration: this.configuration,
      keyValue: this.keyValue,
      crypto: nobleCrypto,
      bytesMax,
      fetch: async (wanted) => {
        this.fetches += 1;
        return this.answer(wanted);
      },
      report: async (actionId, feedback) => {
        if (this.online) this.told.push(`${actionId} ${textOf(feedback)}`);
        return this.online;
      },
      changed: () => {
        this.changes += 1;
      },
    });
  }

  reboot(): void {
    this.keyValue.cut = null;
    this.configuration = this.#open();
    this.update = this.#start();
    this.update.booted();
  }

  serves(envelope: Uint8Array): void {
    this.answer = () => ({ ok: true, bytes: envelope });
  }

  get inEffect(): number | null {
    return this.configuration.read()?.version ?? null;
  }
}

const broken: SmallFile = { ok: false, failure: "network", retryAfterMs: null };

function textOf({ execution, finished, details }: Feedback): string {
  return `${execution} ${finished} ${details.join(" ")}`;
}

const trial = (version: number): string => `7 proceeding none state=trial version=${version}`;
const success = (version: number): string => `7 closed success state=confirmed version=${version}`;
const failure = (state: string, version: number, reason: string): string =>
  `7 closed failure state=${state} version=${version} reason=${reason}`;

test("a document takes effect on trial, is proven, and the server is told", async () => {
  const device = new Device();
  const envelope = seal(12);
  device.serves(envelope);
  device.update.booted();
  assert.equal(device.update.attribute, "0");
  await device.update.offered(deployment(12, envelope));
  assert.deepEqual([device.inEffect, device.update.onTrial, device.changes], [12, true, 1]);
  assert.equal(device.update.attribute, "12");
  await device.update.offered(deployment(12, envelope));
  assert.equal(device.fetches, 1, "an offer that is repeated changes nothing");
  await device.update.healthy();
  assert.deepEqual(device.told, [trial(12), success(12)]);
  assert.deepEqual(device.configuration.state, { kind: "stable", version: 12 });
  await device.update.polled();
  assert.equal(device.told.length, 2);
});

test("an outcome that could not be told is told after a reboot, and the document is not fetched again", async () => {
  const device = new Device();
  const envelope = seal(12);
  device.serves(envelope);
  await device.update.offered(deployment(12, envelope));
  device.online = false;
  await device.update.healthy();
  device.reboot();
  device.online = true;
  await device.update.polled();
  assert.deepEqual(device.told.slice(1), [success(12)]);
  await device.update.offered(deployment(12, envelope));
  assert.deepEqual([device.fetches, device.told.at(-1)], [1, success(12)]);
});

for (const [name, end, reason] of [
  ["checks that fail", (device: Device) => device.update.unhealthy(), "health-check"],
  [
    "time that runs out",
    async (device: Device) => {
      await device.update.tick(1000);
      await device.update.tick(1000 + configurationTrialMs - 1);
      assert.equal(device.update.onTrial, true);
      await device.update.tick(1000 + configurationTrialMs);
    },
    "not-proven",
  ],
  [
    "four boots that did not prove it",
    async (device: Device) => {
      for (let boots = 0; boots < 4; boots += 1) device.reboot();
      await device.update.polled();
    },
    "not-proven",
  ],
] as const)
  test(`${name} bring the previous document back`, async () => {
    const device = new Device();
    const first = seal(11);
    device.serves(first);
    await device.update.offered(deployment(11, first));
    await device.update.healthy();
    device.told.length = 0;
    const second = seal(12);
    device.serves(second);
    await device.update.offered(deployment(12, second));
    assert.equal(device.inEffect, 12);
    await end(device);
    assert.deepEqual([device.inEffect, device.update.attribute], [11, "11"]);
    assert.deepEqual(device.told, [trial(12), failure("rolledBack", 12, reason)]);
    await device.update.offered(deployment(12, second));
    assert.equal(device.told.at(-1), failure("failed", 12, "version-not-newer"));
  });

test("what fails on the way is tried again at the next poll, and told to nobody", async () => {
  const device = new Device();
  const envelope = seal(12);
  const wanted = deployment(12, envelope);
  await device.update.offered(wanted);
  device.answer = () => ({ ok: false, failure: "server-error", retryAfterMs: 9 });
  await device.update.offered(wanted);
  device.serves(seal(12, { values: { interval: 99 } }));
  await device.update.offered(wanted);
  assert.deepEqual([device.told, device.inEffect], [[], null]);
  device.serves(envelope);
  await device.update.offered(wanted);
  assert.equal(device.inEffect, 12);
});

const refusals: ReadonlyArray<
  readonly [string, Uint8Array, Partial<ConfigurationOffer>, SmallFile | null, string]
> = [
  ["is too long", seal(12), { fileBytes: bytesMax + 1 }, null, "too-large"],
  [
    "another key signed",
    new ConfigurationSigner(32).seal({ version: 12, schema: 1 }),
    {},
    null,
    "signature-invalid",
  ],
  ["is no envelope", new TextEncoder().encode("x".repeat(200)), {}, null, "malformed-envelope"],
  ["has another version", seal(13), { configurationVersion: 12 }, null, "offer-mismatch"],
  ["has a schema of another firmware", seal(12, { schema: 9 }), {}, null, "schema-unsupported"],
  [
    "has windows that cannot be read",
    seal(12, { values: { windows: {} } }),
    {},
    null,
    "windows-invalid",
  ],
  ["has no values but text", seal(12, { values: "x" }), {}, null, "malformed-document"],
];

for (const [name, envelope, change, answer, reason] of refusals)
  test(`refuses a document that ${name}: ${reason}`, async () => {
    const device = new Device();
    if (answer === null) device.serves(envelope);
    else device.answer = () => answer;
    await device.update.offered(deployment(12, envelope, change));
    assert.deepEqual(device.told, [failure("failed", 12, reason)]);
    assert.deepEqual([device.inEffect, device.configuration.state], [null, { kind: "empty" }]);
  });

test("a file that is missing is refused the third time, and not when it comes back", async () => {
  const gone: SmallFile = { ok: false, failure: "artifact-missing", retryAfterMs: null };
  for (const answers of [
    [gone, gone, gone],
    [gone, broken, gone, broken, broken, gone],
  ]) {
    const device = new Device();
    for (const answer of answers) {
      assert.deepEqual(device.told, []);
      device.answer = () => answer;
      await device.update.offered(deployment(12, seal(12)));
    }
    assert.deepEqual(device.told, [failure("failed", 12, "artifact-missing")]);
  }
  const back = new Device();
  back.answer = () => gone;
  for (let poll = 0; poll < 2; poll += 1) await back.update.offered(deployment(12, seal(12)));
  back.serves(seal(12));
  await back.update.offered(deployment(12, seal(12)));
  assert.equal(back.inEffect, 12);
});

test("a file that is never what the server announced is refused the third time", async () => {
  const device = new Device();
  device.serves(seal(12, { values: { interval: 99 } }));
  for (let poll = 0; poll < 3; poll += 1) {
    assert.deepEqual(device.told, []);
    await device.update.offered(deployment(12, seal(12)));
  }
  assert.deepEqual(device.told, [failure("failed", 12, "hash-mismatch")]);
});

test("a storage that is full refuses the document, and says so", async () => {
  const device = new Device();
  const envelope = seal(12);
  device.serves(envelope);
  device.keyValue.refuses = () => true;
  await device.update.offered(deployment(12, envelope));
  assert.deepEqual(device.told, [failure("failed", 12, "storage-error")]);
  assert.equal(device.inEffect, null);
});

test("a power cut before or after any change of the storage never loses the document, nor its report", async () => {
  const envelope = seal(12);
  const wanted = deployment(12, envelope);
  const whole = new Device();
  whole.serves(envelope);
  await whole.update.offered(wanted);
  await whole.update.healthy();
  const { changes } = whole.keyValue;
  assert.ok(changes >= 5, `${changes} changes`);
  for (let change = 0; change < changes; change += 1)
    for (const side of ["before", "after"] as const) {
      const device = new Device();
      device.serves(envelope);
      device.keyValue.cut = { change, side };
      try {
        await device.update.offered(wanted);
        await device.update.healthy();
      } catch (error) {
        assert.ok(error instanceof PowerCut);
      }
      device.reboot();
      await device.update.polled();
      const isTold = device.told.includes(success(12));
      if (!isTold) {
        await device.update.offered(wanted);
        await device.update.healthy();
      }
      const at = `change ${change}, ${side}`;
      assert.deepEqual(device.configuration.state, { kind: "stable", version: 12 }, at);
      assert.equal(device.told.at(-1), success(12), at);
      assert.equal(device.keyValue.values.has("config-update"), false, at);
    }
});
