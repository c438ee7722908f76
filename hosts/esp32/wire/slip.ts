// RFC 1055: frames on a serial line.

const endMark = 0xc0;
const escapeMark = 0xdb;
const escapedEnd = 0xdc;
const escapedEscape = 0xdd;

/** Longer than any Ethernet frame; what exceeds it is noise of a line that just woke up. */
const frameBytesMax = 2048;

/** One frame with its end marks, ready for the line. */
export function encodeSlip(frame: Uint8Array): Uint8Array {
  const bytes: number[] = [endMark];
  for (const byte of frame) {
    if (byte === endMark) bytes.push(escapeMark, escapedEnd);
    else if (byte === escapeMark) bytes.push(escapeMark, escapedEscape);
    else bytes.push(byte);
  }
  bytes.push(endMark);
  return Uint8Array.from(bytes);
}

/** Takes what comes from the line in pieces of any size; hands over whole frames. */
export class SlipDecoder {
  readonly #frame = new Uint8Array(frameBytesMax);
  readonly #received: (frame: Uint8Array) => void;
  #length = 0;
  #isEscaped = false;

  constructor(received: (frame: Uint8Array) => void) {
    this.#received = received;
  }

  take(bytes: Uint8Array): void {
    for (const byte of bytes) this.#takeByte(byte);
  }

  #takeByte(byte: number): void {
    if (byte === endMark) {
      const frame = this.#frame.slice(0, this.#length);
      this.#length = 0;
      this.#isEscaped = false;
      if (frame.length > 0) this.#received(frame);
    } else if (byte === escapeMark) this.#isEscaped = true;
    else {
      const plain = this.#isEscaped ? (byte === escapedEnd ? endMark : escapeMark) : byte;
      this.#isEscaped = false;
      if (this.#length < frameBytesMax) this.#frame[this.#length] = plain;
      this.#length = Math.min(this.#length + 1, frameBytesMax);
    }
  }
}
