import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { nodeCrypto } from "../../hosts/release/node-crypto.ts";
import { nodeTrustCrypto } from "../../hosts/release/trust/node-trust-crypto.ts";
import { metadataAddress } from "../../src/trust/addresses.ts";
import { canonicalJson } from "../../src/trust/canonical-json.ts";
import { formatDateTime } from "../../src/trust/fields.ts";
import type { JsonObject, JsonValue } from "../../src/trust/json.ts";
import { deviceLimits, type TrustLimits } from "../../src/trust/limits.ts";
import type { Fetched, MetadataSource } from "../../src/trust/metadata-source.ts";
import type { MetadataStore } from "../../src/trust/metadata-store.ts";
import { p256TrustCrypto } from "../../src/trust/p256-crypto.ts";
import { refused } from "../../src/trust/refusal.ts";
import { keyIdOf } from "../../src/trust/role.ts";
import type { TrustCrypto } from "../../src/trust/trust-crypto.ts";
import type { TrustRules } from "../../src/trust/trust-rules.ts";

export const now = Date.UTC(2026, 10, 21, 12);
const day = 86_400_000;

/** JSON that tests may change in place. */
// biome-ignore lint/suspicious/noExplicitAny: the tests write what no type allows
export type Loose = any;

export interface TestKey {
  readonly id: string;
  readonly json: JsonObject;
  readonly privateKey: KeyObject;
}

const made: TestKey[] = [];

/** The same keys in every repository of a process. */
export function testKey(index: number): TestKey {
  while (made.length <= index) {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const text = publicKey.export({ format: "pem", type: "spki" }).toString();
    const json = { keytype: "ecdsa", scheme: "ecdsa-sha2-nistp256", keyval: { public: text } };
    made.push({ id: keyIdOf(json, p256TrustCrypto(nodeCrypto)), json, privateKey });
  }
  return made[index]!;
}

export function signatureOf(payload: Uint8Array, key: TestKey): string {
  return sign("sha256", payload, { key: key.privateKey, dsaEncoding: "der" }).toString("hex");
}

/** Metadata of `signed` with a signature of each key. */
export function signedBytes(signed: JsonValue, keys: readonly TestKey[]): Uint8Array {
  const payload = canonicalJson(signed);
  const signatures = keys.map((key) => ({ keyid: key.id, sig: signatureOf(payload, key) }));
  return new TextEncoder().encode(JSON.stringify({ signatures, signed }));
}

/** Counts what is verified. */
export class CountingCrypto implements TrustCrypto {
  verifications = 0;
  readonly #crypto = p256TrustCrypto(nodeCrypto);

  hasher(algorithm: string): ReturnType<TrustCrypto["hasher"]> {
    return this.#crypto.hasher(algorithm);
  }

  verify(...args: Parameters<TrustCrypto["verify"]>): boolean {
    this.verifications += 1;
    return this.#crypto.verify(...args);
  }
}

export function rulesWith(limits: Partial<TrustLimits> = {}): TrustRules {
  return {
    limits: { ...deviceLimits, ...limits },
    crypto: nodeTrustCrypto, // ten times as fast as the portable provider
    memory: null,
  };
}

/**
 * A repository whose every field a test may falsify before it publishes. Roots are signed by keys 0
 * and 1 of 0, 1, 2; targets by 3 and 4 of both; timestamp by 5, snapshot by 6, the director by 7;
 * each delegated role by 8.
 */
export class TestRepository {
  readonly root: Loose;
  readonly timestamp: Loose;
  readonly snapshot: Loose;
  readonly targets: Loose;
  /** Delegated roles by name. */
  readonly delegated = new Map<string, Loose>();
  readonly signers: Record<string, TestKey[]> = {
    root: [testKey(0), testKey(1)],
    timestamp: [testKey(5)],
    snapshot: [testKey(6)],
    targets: [testKey(3), testKey(4)],
  };
  /** By address: what the server has. */
  readonly files = new Map<string, Uint8Array>();
  /** Addresses that were asked for. */
  readonly requests: string[] = [];
  /** Answers in place of the repository. */
  interfere: (address: string) => Fetched | null = () => null;

  constructor() {
    const role = (threshold: number, ...indices: readonly number[]): Loose => ({
      keyids: indices.map((index) => testKey(index).id),
      threshold,
    });
    this.root = {
      ...this.#common("root", 365 * day),
      consistent_snapshot: true,
      keys: Object.fromEntries(
        [0, 1, 2, 3, 4, 5, 6, 7].map((index) => [testKey(index).id, testKey(index).json]),
      ),
      roles: {
        root: role(2, 0, 1, 2),
        timestamp: role(1, 5),
        snapshot: role(1, 6),
        targets: role(2, 3, 4),
      },
      "x-sluice-director": role(1, 7),
    };
    this.timestamp = { ...this.#common("timestamp", day), meta: {} };
    this.snapshot = { ...this.#common("snapshot", 7 * day), meta: {} };
    this.targets = { ...this.#common("targets", 180 * day), targets: {} };
    this.publish("root", "targets", "snapshot", "timestamp");
  }

  /** A delegated role, signed by key 8 unless told. */
  delegate(name: string, delegation: object = {}, from: Loose = this.targets, key = 8): Loose {
    const signed = { ...this.#common("targets", 180 * day), version: 0, targets: {} };
    this.delegated.set(name, signed);
    this.signers[name] = [testKey(key)];
    from.delegations ??= { keys: {}, roles: [] };
    from.delegations.keys[testKey(key).id] = testKey(key).json;
    from.delegations.roles.push({
      name,
      keyids: [testKey(key).id],
      threshold: 1,
      paths: [`${name}/*`],
      terminating: true,
      ...delegation,
    });
    return signed;
  }

  /** Signs these roles as they are; snapshot and timestamp list what is published before them. */
  publish(...roles: readonly string[]): void {
    for (const name of roles) {
      const signed = this.signedOf(name);
      const bytes = signedBytes(signed, this.signers[name] ?? []);
      const versioned = name !== "timestamp" && (name === "root" || this.root.consistent_snapshot);
      this.files.set(metadataAddress(name, versioned ? signed.version : null), bytes);
      const meta = { version: signed.version };
      if (name === "snapshot") this.timestamp.meta["snapshot.json"] = meta;
      else if (name !== "root" && name !== "timestamp") this.snapshot.meta[`${name}.json`] = meta;
    }
  }

  /** The same with the next version of each. */
  publishNext(...roles: readonly string[]): void {
    for (const name of roles) {
      this.signedOf(name).version += 1;
      this.publish(name);
    }
  }

  signedOf(name: string): Loose {
    if (name === "root") return this.root;
    if (name === "timestamp") return this.timestamp;
    if (name === "snapshot") return this.snapshot;
    return name === "targets" ? this.targets : this.delegated.get(name);
  }

  file(address: string): Uint8Array {
    const bytes = this.files.get(address);
    if (bytes === undefined) throw new Error(`the repository has no ${address}`);
    return bytes;
  }

  source(): MetadataSource {
    return {
      fetch: async (address, bytesMax) => {
        this.requests.push(address);
        const answer = this.interfere(address);
        if (answer !== null) return answer;
        const body = this.files.get(address);
        if (body === undefined) return { kind: "missing" };
        if (body.length > bytesMax)
          return { kind: "failed", refusal: refused("too-large", `${body.length} bytes`) };
        return { kind: "found", body: body.slice() };
      },
    };
  }

  #common(type: string, lifeMs: number): object {
    return {
      _type: type,
      spec_version: "1.0.34",
      version: 1,
      expires: formatDateTime(now + lifeMs),
    };
  }
}

/** Trusted metadata in memory, by role. */
export class MemoryMetadata implements MetadataStore {
  readonly files = new Map<string, Uint8Array>();

  read(roleName: string): Uint8Array | null {
    return this.files.get(roleName)?.slice() ?? null;
  }

  write(roleName: string, bytes: Uint8Array): void {
    this.files.set(roleName, bytes.slice());
  }

  delete(roleName: string): void {
    this.files.delete(roleName);
  }
}
