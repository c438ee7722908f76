import { parseImageHeader } from "../../../src/image/header.ts";
import { type ImageVersion, parseVersion } from "../../../src/image/version.ts";
import { plainImage, writeImage } from "../../../src/image/writer.ts";
import type { FleetClient } from "../../cli/server/fleet-client.ts";
import { publicPemOf, type Signer, tufKeyId } from "../../release/keys/signer.ts";
import { nodeCrypto } from "../../release/node-crypto.ts";
import { createKeyPair, signerFromPem } from "../../release/pem-keys.ts";
import { initialize } from "../../release/trust/changes.ts";
import { fileOf, type TrustDocument } from "../../release/trust/document.ts";
import { addRelease, removeRelease } from "../../release/trust/releases.ts";
import { fileNameOf, lifeDaysDefault, TrustRepository } from "../../release/trust/repository.ts";
import { maySign, publishReady, signDraft } from "../../release/trust/signing.ts";

const blockBytes = 65_536;
const payloadBytes = 200_000;
/**
 * In the role of the hardware, which a device reads as a whole: older ones are taken out
 * (docs/trust.md).
 */
const releasesKept = 4;

/**
 * Who signs offline: root 2 of 3, targets 2 of 2, and one online key; small images without
 * firmware.
 */
export class ReleaseMachine {
  readonly online: Signer = newSigner();
  readonly #offline: readonly Signer[];
  readonly #image: Signer = newSigner();
  readonly #repository: TrustRepository;
  readonly #hardware: string;
  /** The versions that the role lists, oldest first. */
  readonly #versions: ImageVersion[] = [];

  static async start(folder: string, hardware: string, now: number): Promise<ReleaseMachine> {
    const opened = TrustRepository.open(folder);
    if (!opened.ok) throw new Error(opened.message);
    const root = [newSigner(), newSigner(), newSigner()];
    const targets = [newSigner(), newSigner()];
    const machine = new ReleaseMachine(opened.repository, [...root, ...targets], hardware);
    const keys = { root, targets, online: [machine.online] };
    const thresholds = { root: 2, targets: 2, online: 1 };
    const made = initialize(opened.repository, {
      keys,
      thresholds,
      lifeDays: lifeDaysDefault,
      now,
    });
    if (!made.ok) throw new Error(made.message);
    await machine.#sign();
    return machine;
  }

  private constructor(repository: TrustRepository, offline: readonly Signer[], hardware: string) {
    this.#repository = repository;
    this.#offline = offline;
    this.#hardware = hardware;
  }

  get imageKeyPem(): string {
    return publicPemOf(this.#image.publicKey);
  }

  /** What a device is enrolled with. */
  get firstRoot(): Uint8Array {
    const [root] = this.#repository.roots;
    if (root === undefined) throw new Error("no root was signed");
    return fileOf(root);
  }

  /** Makes an image of that version, signs for it, and gives both to the server. */
  async release(text: string, client: FleetClient, now: number): Promise<void> {
    const image = await this.#make(text);
    await client.postBytes("/releases/images", image);
    await this.publish(image, client, now);
  }

  /** Signs for an image, and gives the server what was signed. */
  async publish(image: Uint8Array, client: FleetClient, now: number): Promise<void> {
    const addition = { images: [image], evidence: [], energy: null, now };
    const added = addRelease(this.#repository, addition);
    if (!added.ok) throw new Error(added.message);
    this.#takeOutOldest(image, now);
    await this.#sign();
    await this.#send(client);
  }

  #takeOutOldest(added: Uint8Array, now: number): void {
    const header = parseImageHeader(added);
    if (!header.ok) throw new Error(header.reason);
    this.#versions.push(header.header.version);
    const oldest = this.#versions.length > releasesKept ? this.#versions.shift() : undefined;
    if (oldest === undefined) return;
    const removed = removeRelease(this.#repository, { version: oldest, hardware: null, now });
    if (!removed.ok) throw new Error(removed.message);
  }

  async #make(text: string): Promise<Uint8Array> {
    const version = parseVersion(text);
    if (version === null) throw new RangeError(`"${text}" is no version`);
    const payload = new Uint8Array(payloadBytes).fill(version.minor);
    const hardware = this.#hardware;
    const options = { ...plainImage, version, hardware, securityCounter: 1, blockBytes };
    const written = await writeImage(payload, options, nodeCrypto, [this.#image]);
    if (!written.ok) throw new Error(`no image: ${written.reason}`);
    return written.image;
  }

  async #sign(): Promise<void> {
    const repository = this.#repository;
    for (const { role } of repository.drafts)
      for (const signer of this.#offline) {
        const draft = repository.draft(role);
        if (draft !== null && maySign(repository, draft, signer.keyId))
          await signDraft(repository, draft, signer);
      }
    publishReady(repository);
  }

  async #send(client: FleetClient): Promise<void> {
    const { roots, delegatedRoles } = this.#repository;
    const roles = ["targets", ...delegatedRoles].map((role) => this.#repository.current(role));
    const signed = [...roots, ...roles].filter((one): one is TrustDocument => one !== null);
    for (const { signed: part } of signed)
      for (const [name, { hashes }] of Object.entries("targets" in part ? part.targets : {})) {
        const bytes = this.#repository.target(name, hashes.sha256);
        if (bytes !== null) await client.postBytes(`/trust/targets?sha256=${hashes.sha256}`, bytes);
      }
    const documents = Object.fromEntries(
      signed.map((document) => [fileNameOf(document), fileOf(document).toString()]),
    );
    await client.post("/trust/metadata", { documents });
  }
}

/** A key in memory, gone with the process. */
export function newSigner(): Signer {
  const made = signerFromPem(createKeyPair().privatePem);
  if (!made.ok) throw new Error(made.reason);
  const { publicKey } = made.signer;
  return { ...made.signer, keyId: tufKeyId(publicKey), label: "a key of the benchmark" };
}
