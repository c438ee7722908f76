import { decode, encode } from "cborg";
import type { EmulatedChip } from "../../../hosts/esp32/emulator/emulated-chip.ts";

// mcumgr's SMP over a serial line (Zephyr, "SMP over console"): frames of base64 in lines of at
// most 127 characters.

const firstMark = "\x06\x09";
const nextMark = "\x04\x14";
const lineCharactersMax = 124;
const headerBytes = 8;

const operations = { read: 0, write: 2 } as const;
const groups = { system: 0, image: 1 } as const;
const commands = { echo: 0, reset: 5, upload: 1 } as const;

/** What one request may carry: the bootloader's receive buffer holds lines up to 1 KiB in all. */
const uploadBytes = 384;
const answerMs = 20_000;
const echoMs = 3000;

interface Answer {
  readonly sequence: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A client of the bootloader's serial recovery on a chip's console. */
export class SmpLine {
  readonly #chip: EmulatedChip;
  #text = "";
  #packet = "";
  #sequence = 0;
  #received: ((answer: Answer) => void) | null = null;

  constructor(chip: EmulatedChip) {
    this.#chip = chip;
    chip.onConsoleData((bytes) => this.#take(bytes.toString("latin1")));
  }

  /** Throws when nobody answers. */
  async echo(text: string): Promise<unknown> {
    const body = { d: text };
    const answer = await this.#ask(operations.write, groups.system, commands.echo, body, echoMs);
    if (answer === null) throw new Error(`nobody answered within ${echoMs} ms`);
    return answer["r"];
  }

  /** Writes an image into the primary slot. Throws when the bootloader refuses a part. */
  async upload(image: Uint8Array): Promise<void> {
    for (let offset = 0; offset < image.length; ) {
      const data = image.subarray(offset, offset + uploadBytes);
      const first = offset === 0 ? { len: image.length, image: 0 } : {};
      const body = { ...first, off: offset, data };
      const answer = await this.#ask(
        operations.write,
        groups.image,
        commands.upload,
        body,
        answerMs,
      );
      const next = answer?.["off"];
      if (answer === null || (answer["rc"] ?? 0) !== 0 || typeof next !== "number")
        throw new Error(`the upload stopped at ${offset}: ${JSON.stringify(answer)}`);
      offset = next;
    }
  }

  async reset(): Promise<void> {
    await this.#ask(operations.write, groups.system, commands.reset, {}, answerMs);
  }

  /** Null when no answer came in time. */
  #ask(
    operation: number,
    group: number,
    command: number,
    body: object,
    timeoutMs: number,
  ): Promise<Readonly<Record<string, unknown>> | null> {
    this.#sequence = (this.#sequence + 1) & 0xff;
    const sequence = this.#sequence;
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(null), timeoutMs);
      const settle = (answer: Answer["body"] | null): void => {
        clearTimeout(timer);
        this.#received = null;
        resolve(answer);
      };
      this.#received = (answer) => {
        if (answer.sequence === sequence) settle(answer.body);
      };
      const payload = encode(body);
      const header = new Uint8Array(headerBytes);
      const view = new DataView(header.buffer);
      header[0] = operation;
      view.setUint16(2, payload.length);
      view.setUint16(4, group);
      header[6] = sequence;
      header[7] = command;
      this.#send(Buffer.concat([header, payload]));
    });
  }

  #send(packet: Buffer): void {
    const whole = Buffer.alloc(packet.length + 4);
    whole.writeUInt16BE(packet.length + 2, 0);
    packet.copy(whole, 2);
    whole.writeUInt16BE(crc16(packet), packet.length + 2);
    const text = whole.toString("base64");
    for (let at = 0; at < text.length; at += lineCharactersMax) {
      const mark = at === 0 ? firstMark : nextMark;
      const line = `${mark}${text.slice(at, at + lineCharactersMax)}\n`;
      this.#chip.type(Buffer.from(line, "latin1"));
    }
  }

  #take(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) this.#takeLine(line.replace(/\r$/, ""));
  }

  #takeLine(line: string): void {
    const first = line.lastIndexOf(firstMark);
    const next = line.lastIndexOf(nextMark);
    if (first >= 0) this.#packet = line.slice(first + 2);
    else if (next >= 0) this.#packet += line.slice(next + 2);
    else return;
    const whole = Buffer.from(this.#packet, "base64");
    if (whole.length < 2 || whole.length < whole.readUInt16BE(0) + 2) return;
    const packet = whole.subarray(2, whole.readUInt16BE(0));
    this.#packet = "";
    if (packet.length < headerBytes) return;
    const body = decode(packet.subarray(headerBytes)) as Readonly<Record<string, unknown>>;
    this.#received?.({ sequence: packet[6] ?? 0, body });
  }
}

/** CRC-16/XMODEM. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = (crc & 0x8000) !== 0 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}
