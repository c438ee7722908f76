import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  buildFirmware,
  type FirmwareBuild,
  type FirmwareRequest,
  writeApplication,
} from "../../hosts/esp32/board-build.ts";
import type { BoardTools } from "../../hosts/esp32/board-tools.ts";
import { type Board, boardNamed } from "../../hosts/esp32/boards.ts";
import { createKeyPair, signerFromPem, trustedKeyFromPem } from "../../hosts/release/pem-keys.ts";
import { signImage } from "../../hosts/release/sign.ts";
import { projectRoot } from "../../hosts/simulator/moddable/sdk.ts";
import type { TrustedImageKey } from "../../src/image/keys.ts";
import { parseVersion } from "../../src/image/version.ts";
import { type ImageSigner, plainImage } from "../../src/image/writer.ts";
import { withImageKey } from "./bootloader-key.ts";

export const board: Board = emulatedBoard();
export const hardware = "esp32c3-a";
/** Instead of a minute, so that a rollback is over in less. */
export const trialSeconds = 5;
export const watchdogSeconds = 12;

export interface KeyPair {
  readonly signer: ImageSigner;
  readonly key: TrustedImageKey;
  readonly publicPem: string;
}

export interface SignedBoardImage {
  readonly bytes: Uint8Array;
  /** Lower-case hex: what a device reports as running. */
  readonly imageHash: string;
}

/** What every scenario needs: the emulator, a bootloader that takes our key, and payloads that were built. */
export interface Kit {
  readonly emulator: string;
  readonly bootloader: Uint8Array;
  readonly keys: KeyPair;
  readonly reference: FirmwareBuild;
  readonly throwing: FirmwareBuild;
  readonly hanging: FirmwareBuild;
  readonly neverHealthy: FirmwareBuild;
}

export function newKeys(): KeyPair {
  const { privatePem, publicPem } = createKeyPair();
  const signer = signerFromPem(privatePem);
  const key = trustedKeyFromPem(publicPem);
  if (!signer.ok || !key.ok) throw new Error("a key that was just made cannot be read");
  return { signer: signer.signer, key: key.key, publicPem };
}

export const slotBytes = 0x1c0000;
const slot = { slotBytes, sectorBytes: 4096, writeBlockBytes: 4, maxAlignBytes: 8 } as const;

export async function signed(
  version: string,
  payload: Uint8Array,
  keys: KeyPair,
  securityCounter = 1,
): Promise<SignedBoardImage> {
  const parsed = parseVersion(version);
  if (parsed === null) throw new Error(`"${version}" is no version`);
  const buildId = createHash("sha256").update(version).update(payload).digest();
  const result = await signImage({
    payload,
    options: { ...plainImage, version: parsed, hardware, securityCounter, buildId },
    signers: [keys.signer],
    slot,
    form: "file",
  });
  if (!result.ok) throw new Error(result.message);
  return { bytes: result.signed.image, imageHash: result.signed.imageHash };
}

/** Builds the firmware and three bad releases. */
export async function makeKit(
  tools: BoardTools,
  files: { readonly emulator: string; readonly bootloader: string },
): Promise<Kit> {
  const keys = newKeys();
  const build = async (name: string, manifest: object, code: string | null) => {
    const started = performance.now();
    const whole = { include: [join(projectRoot, "manifest.json")], ...settings, ...manifest };
    const path = writeApplication(name, whole, code === null ? {} : { "main.ts": code });
    const firmware = await built(tools, { manifest: path });
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    console.log(`built ${name}: ${firmware.payload.length} bytes (${seconds} s)`);
    return firmware;
  };
  const own = { creation: { main: "main" }, modules: { "*": "./main" } };
  return {
    emulator: files.emulator,
    bootloader: withImageKey(readFileSync(files.bootloader), keys.key.publicKey),
    keys,
    reference: await build("reference", {}, null),
    throwing: await build("throwing", own, throwing),
    hanging: await build("hanging", own, hanging),
    neverHealthy: await build("never-healthy", own, neverHealthy),
  };
}

const settings = {
  config: { trialSeconds, watchdogSeconds, firstPollSeconds: 1 },
  defines: { sluice: { watchdogSeconds } },
};

function emulatedBoard(): Board {
  const found = boardNamed("esp32c3_devkitm_serial");
  if (found === null) throw new Error("the board is gone");
  return found;
}

async function built(
  tools: BoardTools,
  request: Omit<FirmwareRequest, "board">,
): Promise<FirmwareBuild> {
  const result = await buildFirmware(tools, { ...request, board });
  if (!result.ok) throw new Error(`${result.step} failed:\n${result.output}`);
  return result.firmware;
}

const throwing = `throw new Error("no sensor answers on the bus");
`;

const hanging = `import { startUpdates } from "sluice/sluice";

startUpdates();
for (;;);
`;

/** Runs and feeds the watchdog; its server is not where it looks. */
const neverHealthy = `import { boardSettings, openPorts } from "sluice/device/ports";
import { Agent } from "sluice/update/agent";
import { defaultSettings, readIdentity } from "sluice/update/settings";

const ports = openPorts();
const identity = readIdentity(ports.keyValue);
const settings = { ...defaultSettings, ...boardSettings() };
if (identity !== null)
  new Agent(ports, { ...identity, serverUrl: "http://10.0.2.2:1" }, settings).start();
`;
