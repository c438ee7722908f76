import assert from "node:assert/strict";
import { test } from "node:test";
import { Configuration } from "../../../src/config/configuration.ts";
import type { KeyValue } from "../../../src/ports/board.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { ConfigurationSigner } from "../../support/configuration-signer.ts";
import {
  afterAct,
  CuttableKeyValue,
  forEachCut,
  forEachFlashCut,
  mountStorage,
  storageFlash,
} from "../../support/storage-cuts.ts";

const signer = new ConfigurationSigner(31);
/** Every signature was checked once, outside the cuts: what is cut is the storage. */
const crypto = { ...nobleCrypto, verifyP256: () => true };

const open = (keyValue: KeyValue): Configuration =>
  new Configuration({
    keyValue,
    crypto,
    keys: [signer.publicKey],
    schemas: { min: 1, max: 1 },
  });
/** Of two values, so that a part and a head can be cut apart. */
const envelopes = [1, 2, 3].map((version) =>
  signer.seal({ version, schema: 1, values: { text: String(version).repeat(1000 + version) } }),
);
const offer = (version: number) => (keyValue: KeyValue) =>
  void open(keyValue).offer(envelopes[version - 1] ?? new Uint8Array());
const activate = (keyValue: KeyValue) => void open(keyValue).activate();
const prove = (keyValue: KeyValue) => void open(keyValue).prove();
const revert = (keyValue: KeyValue) => void open(keyValue).revert();
const booted = (keyValue: KeyValue) => void open(keyValue).booted();

type Act = (keyValue: KeyValue) => void;
const histories: ReadonlyArray<readonly [string, readonly Act[], Act]> = [
  ["the first offer", [], offer(1)],
  ["an offer beside an active document", [offer(1), activate, prove], offer(2)],
  ["an offer in place of one that waits", [offer(1), activate, prove, offer(2)], offer(3)],
  ["the first activation", [offer(1)], activate],
  ["an activation", [offer(1), activate, prove, offer(2)], activate],
  ["a boot of a trial", [offer(1), activate, prove, offer(2), activate], booted],
  [
    "the boot that ends a trial",
    [offer(1), activate, prove, offer(2), activate, booted, booted, booted],
    booted,
  ],
  ["a proof", [offer(1), activate, prove, offer(2), activate], prove],
  ["a revert", [offer(1), activate, prove, offer(2), activate], revert],
  ["a revert of the first document", [offer(1), activate], revert],
];

/** All that a boot could see: the state, and the document in effect to its last character. */
function seen(keyValue: KeyValue): string {
  const configuration = open(keyValue);
  return JSON.stringify([configuration.state, configuration.read()]);
}

function storageAfter(acts: readonly Act[]): CuttableKeyValue {
  const keyValue = new CuttableKeyValue();
  for (const act of acts) act(keyValue);
  return keyValue;
}

for (const [name, history, act] of histories) {
  test(`${name}: a cut at any change of a key leaves the state before or after, and no leftovers`, () => {
    const before = storageAfter(history);
    const after = afterAct(before, act);
    const cuts = forEachCut(before, act, (storage, where) => {
      const found = seen(storage);
      const [wanted] = [before, after].filter((one) => seen(one.clone()) === found);
      assert.ok(wanted, `${where}: ${found}`);
      const keys = [...afterAct(wanted, open).values.keys()].map(withoutPlace).sort();
      assert.deepEqual([...storage.values.keys()].map(withoutPlace).sort(), keys, where);
      forEachCut(storage, open, (again) => assert.equal(seen(again), found, where));
    });
    assert.ok(cuts >= 2, `${cuts} cuts`);
  });

  test(`${name}: a cut at any flash operation leaves the state before or after`, () => {
    const flash = storageFlash(4);
    for (const earlier of history) earlier(mountStorage(flash));
    const after = flash.clone();
    act(mountStorage(after));
    const states = [flash, after].map((chip) => seen(mountStorage(chip.clone())));
    forEachFlashCut(flash, act, (cut, where) => {
      assert.ok(states.includes(seen(mountStorage(cut))), where);
    });
  });
}

/** Generations alternate; which of the two places a part has does not matter. */
function withoutPlace(key: string): string {
  return key.replace(/\.[01]\.(\d+)$/, ".$1");
}
