import type { NorFlash } from "../../hosts/flash/nor-flash.ts";
import type { BlockHashes } from "../../src/image/block-hashes.ts";
import type { AcceptedOffer } from "../../src/offer/offer.ts";
import type { FlashArea } from "../../src/ports/flash.ts";
import type { HttpRequest } from "../../src/ports/http.ts";
import { nobleCrypto } from "../../src/ports/noble-crypto.ts";
import type { DigestHex } from "../../src/protocol/digest.ts";
import { StagingSlot } from "../../src/slots/staging.ts";
import {
  type DownloadResult,
  type DownloadSettings,
  defaultDownloadSettings,
  download,
} from "../../src/transfer/download.ts";
import { LongWork } from "../../src/transfer/long-work.ts";
import { ManualClock, settle } from "./manual-clock.ts";
import { fixedRandom } from "./plain-ports.ts";
import { rangeOf, type Script, ScriptedHttp } from "./scripted-http.ts";
import { twoSlots } from "./secondary-slot.ts";
import { sha256Hex } from "./small-images.ts";

const slotSectors = 64;
/** Turns of promises and timers that one download may take. */
const turnsMax = 20_000;

/** A file of bytes that are never 0xff, so that what is written can be told from what is blank. */
export function fileOf(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 13 + (index >> 9)) % 255);
}

export function acceptedOfferOf(bytes: Uint8Array): AcceptedOffer {
  return {
    source: { by: "server", actionId: "7", url: "http://server/file" },
    version: "1.1.0",
    fileHash: sha256Hex(bytes),
    fileBytes: bytes.length,
    imageHash: "11".repeat(32) as DigestHex,
    approved: false,
    forced: false,
    retry: false,
    overridesWindows: false,
  };
}

export interface DownloadRun {
  readonly result: DownloadResult;
  readonly clock: ManualClock;
  readonly http: ScriptedHttp;
  /** Bytes that the device was given. */
  readonly transferredBytes: number;
}

export interface RunOptions {
  /** What the server has, when it is not the file of the bench. */
  readonly bytes?: Uint8Array;
  /** Instead of the range that was asked for, with the number of the request. */
  readonly answer?: (request: HttpRequest, number: number) => Script | null;
  readonly blocks?: BlockHashes | null;
  readonly settings?: Partial<DownloadSettings>;
  readonly area?: FlashArea;
  readonly offer?: AcceptedOffer;
  readonly work?: (clock: ManualClock) => LongWork;
  /** Counts over several runs, also over one that the power cut. */
  readonly sum?: { transferredBytes: number };
}

/** A secondary slot that outlives the calls of `download` into it. */
export class DownloadBench {
  readonly file: Uint8Array;
  readonly chip: NorFlash;
  readonly area: FlashArea;
  /** Where the slot begins. */
  readonly start: number;

  constructor(file: Uint8Array) {
    const { chip, secondary, secondaryOffset } = twoSlots(slotSectors);
    this.file = file;
    this.chip = chip;
    this.area = secondary;
    this.start = secondaryOffset;
  }

  /** What the slot holds where the file belongs. */
  held(bytes = this.file.length): Uint8Array {
    return this.chip.peek(this.start, bytes);
  }

  restorePower(): void {
    this.chip.faultHook = null;
    this.chip.restorePower();
  }

  /** One call of `download`, with all the time that it wants. */
  async run(options: RunOptions = {}): Promise<DownloadRun> {
    const { bytes = this.file, blocks = null } = options;
    const clock = new ManualClock();
    const http = new ScriptedHttp(
      (request) => options.answer?.(request, http.requests.length - 1) ?? rangeOf(bytes, request),
    );
    const work = options.work?.(clock) ?? new LongWork(clock);
    const offer = options.offer ?? acceptedOfferOf(bytes);
    const slot = new StagingSlot(options.area ?? this.area, offer.fileBytes, 500);
    const settings = { ...defaultDownloadSettings, ...options.settings };
    const headers = (url: string): Record<string, string> => ({ "x-for": url });
    const tools = { http, random: fixedRandom(0.999), crypto: nobleCrypto, work, headers };
    let result: DownloadResult | null = null;
    let thrown: unknown = null;
    void download(offer, blocks, slot, settings, tools).then(
      (ended) => {
        result = ended;
      },
      (error: unknown) => {
        thrown = error;
      },
    );
    for (let turns = 0; result === null && thrown === null && turns < turnsMax; turns += 1) {
      await settle();
      clock.fireNext();
    }
    if (options.sum !== undefined) options.sum.transferredBytes += http.deliveredBytes;
    if (thrown !== null) throw thrown;
    if (result === null) throw new Error("the download did not end");
    return { result, clock, http, transferredBytes: http.deliveredBytes };
  }
}
