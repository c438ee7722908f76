/**
 * Reads DER (X.690) element by element, strictly: shortest lengths, nothing of indefinite length,
 * no tags of more than one byte. The first thing that is not as asked for makes `failed` true for
 * good, and everything that is read from then on is empty: look at `failed` once, at the end.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get failed(): boolean {
    return this.#failed;
  }

  get atEnd(): boolean {
    return this.#failed || this.#offset === this.#bytes.length;
  }

  /** The tag of the next element; -1 at the end. */
  get nextTag(): number {
    return this.atEnd ? -1 : this.#bytes[this.#offset]!;
  }

  /** The content of the next element, which must have this tag. */
  take(tag: number): Uint8Array {
    return this.takeBoth(tag).content;
  }

  /** The same, and the whole element with its tag and length. */
  takeBoth(tag: number): { readonly content: Uint8Array; readonly whole: Uint8Array } {
    const start = this.#offset;
    const contentBytes = this.nextTag === tag ? this.#length() : null;
    const end = this.#offset + (contentBytes ?? 0);
    if (contentBytes === null || end > this.#bytes.length) return this.#fail();
    const content = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return { content, whole: this.#bytes.subarray(start, end) };
  }

  /** A reader of the content of the next element; what fails in it fails here after `ended`. */
  into(tag: number): DerReader {
    return new DerReader(this.take(tag));
  }

  /** Says that nothing may follow in this reader, or in those that were taken from it. */
  ended(...inner: readonly DerReader[]): void {
    if (inner.some((reader) => reader.failed || !reader.atEnd) || !this.atEnd) this.#fail();
  }

  /** Reads the length octets at the offset behind the tag; null for one that is not DER. */
  #length(): number | null {
    const first = this.#bytes[this.#offset + 1];
    if (first === undefined) return null;
    this.#offset += 2;
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count < 1 || count > 2) return null; // 64 KiB and more is no certificate
    let length = 0;
    for (let index = 0; index < count; index += 1) {
      const byte = this.#bytes[this.#offset];
      if (byte === undefined) return null;
      length = (length << 8) | byte;
      this.#offset += 1;
    }
    return length < (count === 1 ? 0x80 : 0x100) ? null : length;
  }

  #fail(): { readonly content: Uint8Array; readonly whole: Uint8Array } {
    this.#failed = true;
    return { content: nothing(), whole: nothing() };
  }
}

/** Tags of X.690 8.1.2 and, with their class and number, those of a certificate's own fields. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** [0] EXPLICIT, [3] EXPLICIT */
  explicit0: 0xa0,
  explicit3: 0xa3,
} as const;

function nothing(): Uint8Array {
  return new Uint8Array(0);
}
