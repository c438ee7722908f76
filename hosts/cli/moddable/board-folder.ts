import { existsSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "../../../src/image/hex.ts";
import type { TrustedImageKey } from "../../../src/image/keys.ts";
import { type FlashMiB, flashMiBs } from "../../flash/partitions.ts";
import { flashFileName } from "../../moddable/board.ts";
import { CommandError } from "../command/exit.ts";
import { makeFolder, readJson, writeResult } from "../command/files.ts";

/** A board that `sluice moddable run` made: what it has to know to switch it on again. */
export interface BoardFacts {
  readonly id: string;
  readonly hardware: string;
  /** What the device asks. */
  readonly server: string;
  readonly token: string;
  readonly flashMiB: FlashMiB;
  /** The keys of the bootloader. */
  readonly imageKeys: readonly TrustedImageKey[];
}

const factsName = "board.json";

/** The folder of a board: its flash, and what is known of it. Null while nobody made one there. */
export function readBoardFolder(folder: string): BoardFacts | null {
  const file = join(folder, factsName);
  if (!existsSync(file)) return null;
  const read = readJson(file, "the board") as Record<string, unknown> | null;
  const text = (name: string): string => {
    const value = read?.[name];
    if (typeof value === "string") return value;
    throw unreadable(file, `"${name}" is no text`);
  };
  const flashMiB = flashMiBs.find((size) => size === read?.["flashMiB"]);
  if (flashMiB === undefined)
    throw unreadable(file, `"flashMiB" is none of ${flashMiBs.join(", ")}`);
  const points = read?.["imageKeys"];
  if (!Array.isArray(points)) throw unreadable(file, '"imageKeys" is no list');
  const imageKeys = points.map((point): TrustedImageKey => {
    const publicKey = typeof point === "string" ? fromHex(point) : null;
    if (publicKey?.length !== 65) throw unreadable(file, "a key is no P-256 point in hex");
    return { algorithm: "ecdsa-p256", publicKey };
  });
  const named = { id: text("id"), hardware: text("hardware"), server: text("server") };
  return { ...named, token: text("token"), flashMiB, imageKeys };
}

/** A flash is there that can be switched on again. */
export function hasFlash(folder: string): boolean {
  return existsSync(join(folder, flashFileName));
}

/** The token is in it, so only its owner may read it. */
export function writeBoardFolder(folder: string, facts: BoardFacts): void {
  makeFolder(folder);
  const imageKeys = facts.imageKeys.map(({ publicKey }) => toHex(publicKey));
  const text = `${JSON.stringify({ ...facts, imageKeys }, null, 2)}\n`;
  writeResult(join(folder, factsName), text, 0o600);
}

function unreadable(file: string, why: string): CommandError {
  return new CommandError(`${file}: ${why}; remove the folder, or give another with --dir`);
}
