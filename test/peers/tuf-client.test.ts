import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { canonicalize } from "@tufjs/canonical-json";
import { Metadata, Root, Signature, Snapshot, Targets, Timestamp } from "@tufjs/models";
import { escapedName } from "../../src/trust/addresses.ts";
import { temporaryFolder } from "../support/command-line.ts";
import type { Loose } from "../support/tuf-repository.ts";

const command = fileURLToPath(new URL("./tuf-client.ts", import.meta.url));
const expires = new Date(Date.now() + 86_400_000).toISOString().replace(/\.\d+Z/, "Z");
const sha = (algorithm: string, bytes: Uint8Array | string): string =>
  createHash(algorithm).update(bytes).digest("hex");

interface Key {
  readonly keyId: string;
  readonly json: Loose;
  readonly sign: (bytes: Buffer) => string;
}

/** One key of each type that TUF's specification describes (clause 4.2.2). */
const keys = { rsa: rsaKey(), ecdsa: ecdsaKey(), ed25519: ed25519Key() };

function keyOf(keytype: string, scheme: string, text: string, sign: Key["sign"]): Key {
  const json = { keytype, scheme, keyval: { public: text } };
  return { keyId: sha("sha256", canonicalize(json)), json, sign };
}

function pemOf(key: KeyObject): string {
  return key.export({ format: "pem", type: "spki" }).toString();
}

function rsaKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const options = { key: privateKey, padding: 6, saltLength: 32 };
  const signs = (bytes: Buffer): string => sign("sha256", bytes, options).toString("hex");
  return keyOf("rsa", "rsassa-pss-sha256", pemOf(publicKey), signs);
}

function ecdsaKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const signs = (bytes: Buffer): string => sign("sha256", bytes, privateKey).toString("hex");
  return keyOf("ecdsa", "ecdsa-sha2-nistp256", pemOf(publicKey), signs);
}

function ed25519Key(): Key {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex");
  const signs = (bytes: Buffer): string => sign(null, bytes, privateKey).toString("hex");
  return keyOf("ed25519", "ed25519", raw, signs);
}

/** A repository as tuf-js's own models write it, with each kind of delegation. */
class ModelRepository {
  readonly files = new Map<string, Uint8Array>();
  readonly requests: string[] = [];
  readonly #meta: Record<string, object> = {};

  constructor() {
    const common = { spec_version: "1.0.31", version: 1, expires };
    const role = (...of: readonly Key[]): object => ({
      keyids: of.map(({ keyId }) => keyId),
      threshold: of.length,
    });
    const { rsa, ecdsa, ed25519 } = keys;
    const keyring = Object.fromEntries(
      [rsa, ecdsa, ed25519].map(({ keyId, json }) => [keyId, json]),
    );
    const roles: Loose = {
      root: role(rsa, ecdsa, ed25519),
      timestamp: role(ecdsa),
      snapshot: role(ed25519),
      targets: role(rsa),
    };
    const root = { _type: "root", ...common, consistent_snapshot: true, keys: keyring, roles };
    this.#write("root", Root.fromJSON(root), [rsa, ecdsa, ed25519]);
    const delegated = (name: string, more: object): object => ({ name, ...role(ecdsa), ...more });
    const delegations = {
      keys: { [ecdsa.keyId]: ecdsa.json },
      roles: [
        delegated("bins/a", { paths: ["bins/*"], terminating: false }),
        delegated("prefix", {
          path_hash_prefixes: [sha("sha256", "far/away").slice(0, 4)],
          terminating: true,
        }),
      ],
    };
    const succinct = { ...role(ecdsa), bit_length: 4, name_prefix: "bin" };
    const bin = `bin-${sha("sha256", "bins/file").slice(0, 1)}`;
    const inBins = { keys: delegations.keys, succinct_roles: succinct };
    const top = this.#target("top.txt", "sha512");
    const of = (targets: object, more = {}): Loose => ({
      _type: "targets",
      ...common,
      targets,
      ...more,
    });
    this.#write("targets", Targets.fromJSON(of(top, { delegations })), [rsa]);
    this.#write("bins/a", Targets.fromJSON(of({}, { delegations: inBins })), [ecdsa]);
    this.#write(bin, Targets.fromJSON(of(this.#target("bins/file", "sha256"))), [ecdsa]);
    this.#write("prefix", Targets.fromJSON(of(this.#target("far/away", "sha256"))), [ecdsa]);
    const snapshot = Snapshot.fromJSON({ _type: "snapshot", ...common, meta: this.#meta } as Loose);
    const snapshotMeta = this.#write("snapshot", snapshot, [ed25519]);
    const meta = { "snapshot.json": snapshotMeta };
    const timestamp = Timestamp.fromJSON({ _type: "timestamp", ...common, meta } as Loose);
    this.#write("timestamp", timestamp, [ecdsa]);
  }

  #target(name: string, algorithm: string): Loose {
    const bytes = new TextEncoder().encode(`the content of ${name}`);
    const hash = sha(algorithm, bytes);
    const parts = name.split("/");
    parts.push(`${hash}.${parts.pop()}`);
    this.files.set(`/targets/${parts.join("/")}`, bytes);
    return { [name]: { length: bytes.length, hashes: { [algorithm]: hash } } };
  }

  #write(name: string, signed: Loose, signers: readonly Key[]): object {
    const metadata = new Metadata(signed);
    for (const { keyId, sign } of signers)
      metadata.sign((bytes) => new Signature({ keyID: keyId, sig: sign(bytes) }));
    const bytes = Buffer.from(JSON.stringify(metadata.toJSON()));
    const version = name === "timestamp" ? "" : "1.";
    this.files.set(`/metadata/${version}${escapedName(name)}.json`, bytes);
    const meta = { version: 1, length: bytes.length, hashes: { sha256: sha("sha256", bytes) } };
    if (!["root", "timestamp", "snapshot"].includes(name)) this.#meta[`${name}.json`] = meta;
    return meta;
  }

  async serve(context: TestContext): Promise<string> {
    const server = createServer((request, response) => {
      this.requests.push(request.url ?? "");
      const bytes = this.files.get(request.url ?? "");
      if (bytes === undefined) response.writeHead(404).end();
      else response.end(bytes);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    context.after(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, [command, ...args]);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (piece) => {
    stdout += piece;
  });
  child.stderr.on("data", (piece) => {
    stderr += piece;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

/** A folder with the repository's first root, and the flags for it. */
async function started(context: TestContext) {
  const repository = new ModelRepository();
  const url = await repository.serve(context);
  const folder = temporaryFolder(context);
  const [metadata, targets, root] = ["metadata", "targets", "root.json"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(root, repository.files.get("/metadata/1.root.json") ?? "");
  const flags = ["--metadata-dir", metadata, "--metadata-url", `${url}/metadata`];
  const download = (...names: readonly string[]): Promise<Ran> =>
    run(
      ...flags,
      ...["--target-dir", targets, "--target-base-url", `${url}/targets/`],
      ...names.flatMap((name) => ["--target-name", name]),
      "download",
    );
  return { repository, metadata, targets, root, flags, download };
}

test("reads a repository that tuf-js's models wrote: every key type, hash and kind of delegation", async (context) => {
  const { repository, metadata, targets, root, download } = await started(context);
  assert.equal((await run("--metadata-dir", metadata, "init", root)).code, 0);
  assert.deepEqual(repository.requests, []);
  const ran = await download("top.txt", "bins/file", "far/away");
  assert.equal(ran.code, 0, ran.stderr);
  const names = readdirSync(targets);
  assert.deepEqual(names.sort(), ["bins%2Ffile", "far%2Faway", "top.txt"]);
  assert.equal(readFileSync(join(targets, "bins%2Ffile"), "utf8"), "the content of bins/file");
  const stored = readFileSync(join(metadata, "bins%2Fa.json"));
  assert.deepEqual(stored, repository.files.get("/metadata/1.bins%2Fa.json"));
});

test("downloads nothing twice that stands there whole, and again what was changed", async (context) => {
  const { repository, metadata, targets, root, download } = await started(context);
  await run("--metadata-dir", metadata, "init", root);
  assert.equal((await download("top.txt")).code, 0);
  assert.equal((await download("top.txt")).code, 0);
  const asked = (): number => repository.requests.filter((url) => url.includes("top.txt")).length;
  assert.equal(asked(), 1);
  writeFileSync(join(targets, "top.txt"), "changed");
  assert.equal((await download("top.txt")).code, 0);
  assert.equal(asked(), 2);
});

test("ends with 1 and the reason, and leaves no file, when a target is not the signed one", async (context) => {
  const { repository, metadata, targets, root, download } = await started(context);
  await run("--metadata-dir", metadata, "init", root);
  for (const [path, bytes] of repository.files)
    if (path.startsWith("/targets/")) repository.files.set(path, bytes.slice().fill(0x78));
  const spoilt = await download("top.txt");
  assert.equal(spoilt.code, 1);
  assert.match(spoilt.stderr, /^hash-mismatch: sha512/);
  const endless = [...repository.files.keys()].find((path) => path.includes("top.txt")) ?? "";
  repository.files.set(endless, new Uint8Array(1_000_000));
  assert.match((await download("top.txt")).stderr, /^too-large/);
  assert.deepEqual(readdirSync(targets), []);
  assert.match((await download("bins/none")).stderr, /^role-not-in-snapshot|^target-not-found/);
});

test("ends with 1 and says how it is used, or what is wrong with its input", async (context) => {
  const folder = temporaryFolder(context);
  const flags = ["--metadata-dir", folder, "--metadata-url", "http://127.0.0.1:1/"];
  for (const args of [[], ["refresh"], ["--metadata-dir", folder, "init"], [...flags, "leap"]])
    assert.deepEqual([(await run(...args)).code, (await run(...args)).stdout], [1, ""]);
  assert.match((await run(...flags, "refresh")).stderr, /^no-trusted-root/);
  assert.match((await run("--metadata-dir", folder, "init", "/nowhere")).stderr, /ENOENT/);
  writeFileSync(join(folder, "bad.json"), "{}");
  const bad = await run("--metadata-dir", folder, "init", join(folder, "bad.json"));
  assert.deepEqual([bad.code, bad.stderr.split(":")[0]], [1, "malformed-metadata"]);
});
