import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ChangeResult,
  Configuration,
  type ConfigurationOptions,
  configurationBytesMax,
  configurationKeysMax,
} from "../../../src/config/configuration.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { ConfigurationSigner } from "../../support/configuration-signer.ts";
import { CuttableKeyValue } from "../../support/storage-cuts.ts";

const signer = new ConfigurationSigner(31);
const done: ChangeResult = { ok: true };
const refused = (reason: string) => ({ ok: false, reason });

function open(
  keyValue: CuttableKeyValue,
  options: Partial<ConfigurationOptions> = {},
): Configuration {
  const schemas = { min: 1, max: 3 };
  const keys = [signer.publicKey];
  return new Configuration({ keyValue, crypto: nobleCrypto, keys, schemas, ...options });
}

const document = (version: number, more: object = {}): object => ({
  version,
  schema: 1,
  values: { interval: version },
  ...more,
});
const seal = (version: number, more: object = {}): Uint8Array =>
  signer.seal(document(version, more));
const sealed = new Map([1, 2, 3, 4].map((version) => [version, seal(version)]));
const envelope = (version: number): Uint8Array => sealed.get(version) ?? seal(version);

/** A storage that went through offers and changes: `1 a p` offers 1, activates and proves it. */
function storage(steps: string): CuttableKeyValue {
  const keyValue = new CuttableKeyValue();
  const configuration = open(keyValue);
  for (const step of steps.split(" ").filter((word) => word !== "")) {
    if (step === "a") assert.deepEqual(configuration.activate(), done);
    else if (step === "p") assert.deepEqual(configuration.prove(), done);
    else if (step === "r") assert.deepEqual(configuration.revert(), done);
    else assert.equal(configuration.offer(envelope(Number(step))).ok, true, step);
  }
  return keyValue;
}

const inEffect = (configuration: Configuration): number | null =>
  configuration.read()?.version ?? null;

test("a device without a configuration has nothing in effect and every flag off", () => {
  const configuration = open(new CuttableKeyValue());
  assert.deepEqual(configuration.state, { kind: "empty" });
  assert.equal(configuration.read(), null);
  assert.equal(configuration.flag("any", "device"), false);
  assert.equal(configuration.booted(), "settled");
});

test("an offer waits and changes nothing that is in effect", () => {
  const configuration = open(storage("1 a p"));
  assert.deepEqual(configuration.offer(envelope(2)), { ok: true, version: 2 });
  assert.deepEqual(configuration.state, { kind: "offered", version: 1, candidate: 2 });
  assert.equal(inEffect(configuration), 1);
});

test("an activated document is in effect, on trial, and the previous one is kept", () => {
  const configuration = open(storage("1 a p 2 a"));
  assert.deepEqual(configuration.state, { kind: "trial", candidate: 2, previous: 1, boots: 0 });
  assert.equal(inEffect(configuration), 2);
});

test("a proven document is the only one in the storage", () => {
  const keyValue = storage("1 a p 2 a p");
  assert.deepEqual(open(keyValue).state, { kind: "stable", version: 2 });
  assert.equal(keyValue.values.size, 2);
});

test("a reverted document is gone and the previous one in effect", () => {
  const keyValue = storage("1 a p 2 a r");
  const configuration = open(keyValue);
  assert.deepEqual(configuration.state, { kind: "stable", version: 1 });
  assert.equal(inEffect(configuration), 1);
  assert.equal(keyValue.values.size, 2);
});

test("a first document that is reverted leaves nothing in effect", () => {
  const configuration = open(storage("1 a r"));
  assert.deepEqual([configuration.state, configuration.read()], [{ kind: "empty" }, null]);
});

test("read sees each change at once, without another open", () => {
  const configuration = open(new CuttableKeyValue());
  const seen: (number | null)[] = [];
  const look = () => seen.push(inEffect(configuration));
  configuration.offer(envelope(1));
  look();
  configuration.activate();
  look();
  configuration.prove();
  configuration.offer(envelope(2));
  configuration.activate();
  look();
  configuration.revert();
  look();
  assert.deepEqual(seen, [null, 1, 2, 1]);
});

for (const [steps, versions] of [
  ["1 a p", [1]],
  ["2 a p", [1, 2]],
  ["1 a p 3", [1, 2, 3]],
  ["1 a p 3 a r", [1, 2, 3]],
  ["3 a r", [1, 2, 3]],
] as const)
  for (const version of versions)
    test(`after "${steps}" version ${version} is refused and version 4 taken`, () => {
      const keyValue = storage(steps);
      const configuration = open(keyValue);
      const before = new Map(keyValue.values);
      assert.deepEqual(configuration.offer(envelope(version)), refused("version-not-newer"));
      assert.deepEqual(keyValue.values, before);
      assert.deepEqual(configuration.offer(envelope(4)), { ok: true, version: 4 });
    });

test("a newer offer takes the place of one that waits", () => {
  const keyValue = storage("1 a p 2");
  const configuration = open(keyValue);
  assert.equal(configuration.offer(envelope(3)).ok, true);
  assert.deepEqual(configuration.state, { kind: "offered", version: 1, candidate: 3 });
  assert.equal(keyValue.values.size, 3);
});

test("no offer is taken while a trial runs", () => {
  assert.deepEqual(open(storage("1 a")).offer(envelope(2)), refused("trial-running"));
});

const offerRefusals: ReadonlyArray<readonly [string, Uint8Array, string]> = [
  ["an envelope beyond its bytes", new Uint8Array(configurationBytesMax + 1), "too-large"],
  ["what is no envelope", new Uint8Array(100), "malformed-envelope"],
  ["a stranger's signature", new ConfigurationSigner(32).seal(document(2)), "signature-invalid"],
  ["what is no document", signer.seal("[]"), "malformed-document"],
  [
    "too much in a document",
    seal(2, { flags: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`f${i}`, true])) }),
    "limit-exceeded",
  ],
  ["a schema of a later firmware", seal(2, { schema: 4 }), "schema-unsupported"],
  ["a schema of an earlier firmware", seal(2, { schema: 0 }), "schema-unsupported"],
];
for (const [what, offered, reason] of offerRefusals)
  test(`refuses ${what} and stores nothing`, () => {
    const keyValue = storage("1 a p");
    const before = new Map(keyValue.values);
    const configuration = open(keyValue);
    assert.deepEqual(configuration.offer(offered), refused(reason));
    assert.deepEqual([keyValue.values, inEffect(configuration)], [before, 1]);
  });

test("each change that makes no sense is refused by its name", () => {
  const from = (steps: string) => open(storage(steps));
  assert.deepEqual(from("").activate(), refused("no-candidate"));
  assert.deepEqual(from("1 a p").activate(), refused("no-candidate"));
  assert.deepEqual(from("1 a").activate(), refused("trial-running"));
  for (const steps of ["", "1", "1 a p", "1 a r"]) {
    assert.deepEqual(from(steps).prove(), refused("no-trial"), steps);
    assert.deepEqual(from(steps).revert(), refused("no-trial"), steps);
  }
});

test("a trial that crashes the device is reverted after its boots", () => {
  const keyValue = storage("1 a p 2 a");
  const outcomes = Array.from({ length: 5 }, () => {
    const configuration = open(keyValue);
    return [configuration.booted(), inEffect(configuration)];
  });
  assert.deepEqual(outcomes, [
    ["trial", 2],
    ["trial", 2],
    ["trial", 2],
    ["reverted", 1],
    ["settled", 1],
  ]);
});

test("a boot that cannot be counted runs on the previous document and proves nothing", () => {
  const keyValue = storage("1 a p 2 a");
  const configuration = open(keyValue);
  keyValue.capacityBytes = 0;
  assert.equal(configuration.booted(), "reverted");
  assert.equal(inEffect(configuration), 1);
  assert.deepEqual(configuration.prove(), refused("storage-error"));
  keyValue.capacityBytes = Number.POSITIVE_INFINITY;
  assert.deepEqual(configuration.revert(), done);
  assert.deepEqual(open(keyValue).state, { kind: "stable", version: 1 });
});

test("a full storage refuses an offer and a change, and what was stays", () => {
  const keyValue = storage("1 a p");
  const configuration = open(keyValue);
  const before = new Map(keyValue.values);
  for (const refusing of ["configuration.b", "configuration"]) {
    keyValue.refuses = (key) => key === refusing;
    assert.deepEqual(configuration.offer(envelope(2)), refused("storage-error"), refusing);
    assert.deepEqual(keyValue.values, before);
  }
  keyValue.refuses = () => false;
  configuration.offer(envelope(2));
  keyValue.capacityBytes = 0;
  assert.deepEqual(configuration.activate(), refused("storage-error"));
  assert.deepEqual(open(keyValue).state, { kind: "offered", version: 1, candidate: 2 });
  assert.equal(inEffect(configuration), 1);
});

test("a later firmware that understands other schemas reads nothing of an old one, and takes a new one", () => {
  const keyValue = storage("1 a p");
  const later = open(keyValue, { schemas: { min: 2, max: 2 } });
  assert.deepEqual([later.state, later.read()], [{ kind: "stable", version: 1 }, null]);
  assert.equal(later.offer(seal(2, { schema: 2 })).ok, true);
  assert.deepEqual(later.activate(), done);
  assert.equal(inEffect(later), 2);
  // rolled back to the firmware before: the trial's document is not for it
  const earlier = open(keyValue, { schemas: { min: 1, max: 1 } });
  assert.equal(earlier.booted(), "reverted");
  assert.equal(inEffect(earlier), 1);
});

test("a candidate that only a later firmware understands is not activated", () => {
  const keyValue = storage("1 a p");
  open(keyValue).offer(seal(2, { schema: 3 }));
  const earlier = open(keyValue, { schemas: { min: 1, max: 1 } });
  assert.deepEqual(earlier.activate(), refused("candidate-unreadable"));
});

test("a damaged document is not in effect, and its own version is taken again", () => {
  const keyValue = storage("1 a p");
  keyValue.values.set("configuration.a", new Uint8Array(20));
  const configuration = open(keyValue);
  assert.equal(configuration.read(), null);
  assert.deepEqual(configuration.offer(envelope(1)), { ok: true, version: 1 });
  assert.deepEqual(configuration.activate(), done);
  assert.deepEqual(configuration.prove(), done);
  assert.equal(inEffect(open(keyValue)), 1);
});

test("a trial whose document is damaged is reverted at the next boot", () => {
  const keyValue = storage("1 a p 2 a");
  keyValue.values.set("configuration.b", new Uint8Array(20));
  const configuration = open(keyValue);
  assert.deepEqual(configuration.prove(), refused("candidate-unreadable"));
  assert.equal(configuration.booted(), "reverted");
  assert.equal(inEffect(configuration), 1);
});

test("a record of a later firmware is left alone until an offer", () => {
  const keyValue = storage("1 a p");
  const record = new TextEncoder().encode('{"v":2,"something":"else"}');
  for (const unreadable of [record, new Uint8Array(3), new Uint8Array(1000).fill(0x20)]) {
    keyValue.values.set("configuration", unreadable);
    const configuration = open(keyValue);
    assert.deepEqual([configuration.state, configuration.read()], [{ kind: "empty" }, null]);
    assert.equal(keyValue.values.size, 2);
  }
  const configuration = open(keyValue);
  assert.equal(configuration.offer(envelope(2)).ok, true);
  assert.deepEqual(open(keyValue).state, { kind: "offered", version: null, candidate: 2 });
});

test("mutated records never throw, and never put an unverified document into effect", () => {
  const pristine = storage("1 a p 2 a");
  const record = pristine.values.get("configuration") ?? new Uint8Array();
  fc.assert(
    fc.property(fc.nat(record.length - 1), fc.nat(255), (at, byte) => {
      const keyValue = pristine.clone();
      const mutated = record.slice();
      mutated[at] = byte;
      keyValue.values.set("configuration", mutated);
      const configuration = open(keyValue);
      configuration.booted();
      assert.ok([null, 1, 2].includes(inEffect(configuration)));
      configuration.revert();
      configuration.offer(envelope(3));
    }),
    { numRuns: 60 },
  );
});

test("flags are those of the document in effect", () => {
  const keyValue = new CuttableKeyValue();
  const configuration = open(keyValue);
  configuration.offer(
    seal(1, { flags: { on: true, off: false, all: { percent: 100, salt: "s" } } }),
  );
  assert.equal(configuration.flag("on", "device"), false);
  configuration.activate();
  const flags = ["on", "off", "all", "none", "constructor"];
  assert.deepEqual(
    flags.map((name) => configuration.flag(name, "device")),
    [true, false, true, false, false],
  );
  configuration.revert();
  assert.equal(configuration.flag("on", "device"), false);
});

test("the largest document it takes is stored twice and read back", () => {
  const keyValue = storage("");
  const configuration = open(keyValue);
  for (const version of [1, 2]) {
    const empty = signer.seal(document(version, { values: { text: "" } })).length;
    const text = "x".repeat(configurationBytesMax - empty);
    assert.equal(configuration.offer(seal(version, { values: { text } })).ok, true);
    configuration.activate();
    if (version === 1) configuration.prove();
  }
  assert.equal(inEffect(configuration), 2);
  assert.ok(keyValue.bytes < 2 * configurationBytesMax + 400);
});

test("options that cannot work are errors of the program", () => {
  const keyValue = new CuttableKeyValue();
  const keys = Array.from({ length: configurationKeysMax + 1 }, () => signer.publicKey);
  assert.throws(() => open(keyValue, { keys: [] }), RangeError);
  assert.throws(() => open(keyValue, { keys }), RangeError);
  assert.throws(() => open(keyValue, { trialBootsMax: 0 }), RangeError);
  assert.throws(() => open(keyValue, { bytesMax: 100_000 }), RangeError);
  assert.throws(() => open(keyValue, { name: "x".repeat(26) }), RangeError);
});
