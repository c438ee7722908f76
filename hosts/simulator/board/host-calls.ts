// What the modules of a simulated board ask of the host, in bytes, so that every engine can carry
// it.

/** First byte of a request; the fields that follow are little-endian. */
export const hostCall = {
  /** text */
  log: 1,
  /** partition u8, offset u32, length u32 -> bytes */
  flashRead: 2,
  /** partition u8, offset u32, bytes */
  flashWrite: 3,
  /** partition u8, first block u32, end block u32 */
  flashErase: 4,
  /** key -> found u8, bytes */
  keyValueRead: 5,
  /** key length u8, key, bytes */
  keyValueWrite: 6,
  /** key */
  keyValueDelete: 7,
  /** -> JSON array of keys */
  keyValueKeys: 8,
  /** -> uptime ms f64, Unix ms f64 */
  now: 9,
  /** id u32, delay ms f64 */
  timerSet: 10,
  /** id u32 */
  timerClear: 11,
  /** id u32, JSON of `SocketCall` */
  socketOpen: 12,
  /** id u32 */
  socketClose: 13,
  /** -> handle u32 */
  shaOpen: 14,
  /** handle u32, bytes */
  shaWrite: 15,
  /** handle u32 -> 32 bytes */
  shaClose: 16,
  /** x and y 64 bytes, digest 32, r and s 64 -> u8 */
  verify: 17,
  /** -> u16 */
  analogRead: 18,
  /** -> u8 */
  charging: 19,
  restart: 20,
  watchdogStart: 21,
  /** kind u8, an index of `handleKinds` */
  opened: 22,
  closed: 23,
  /** id u32, bytes */
  socketWrite: 24,
} as const;

/** First byte of a reply. */
export const hostReply = { ok: 0, error: 1 } as const;

/** First byte of an event that the host delivers as one turn of the firmware. */
export const hostEvent = {
  /** id u32 */
  timer: 1,
  /** id u32: the socket takes what is to be sent */
  socketWritable: 2,
  /** id u32, u8 that is 1 when the connection ends behind it, bytes */
  socketReadable: 3,
  /** id u32: the other side closed, or the link broke */
  socketOver: 4,
  /** id u32, the reason: no connection to a server that could be trusted came about */
  socketUntrusted: 5,
} as const;

/** What the host tells a board at its start, as JSON. */
export interface BoardFacts {
  readonly partitions: readonly BoardPartition[];
  readonly roles: {
    readonly primary: string;
    readonly secondary: string;
    readonly bootctl: string | undefined;
    /** Absent on a board that does not tell where its bootloader lies. */
    readonly bootloader?: string;
  };
  readonly resetReason: string;
  readonly battery: { pin: number; emptyRaw: number; fullRaw: number } | undefined;
  /** Seeds `Math.random`. */
  readonly seed: number;
}

export interface BoardPartition {
  readonly label: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly writeBlockBytes: number;
  readonly chipOffsetBytes: number;
}

/** Where a socket leads. */
export interface SocketCall {
  readonly host: string;
  readonly port: number;
  /** Null for plain TCP. */
  readonly secure: SecureCall | null;
}

/** A request as a board sent it. */
export interface HttpCall extends SocketCall {
  readonly method: string;
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
}

/** With whom a connection may be made; certificates and the key in hex. */
export interface SecureCall {
  readonly serverName: string;
  readonly authorities: readonly string[];
  readonly certificates: readonly string[];
  readonly privateKey: string | null;
  /** What the board takes for the time; null when it does not know. */
  readonly unixMs: number | null;
}

/** Builds a request or an event: `code`, then fields by width, then bytes. */
export function message(
  code: number,
  fields: readonly (readonly ["u8" | "u16" | "u32" | "f64", number])[],
  ...tail: readonly Uint8Array[]
): Uint8Array {
  const widths = { u8: 1, u16: 2, u32: 4, f64: 8 };
  const fieldBytes = fields.reduce((sum, [width]) => sum + widths[width], 1);
  const whole = new Uint8Array(tail.reduce((sum, part) => sum + part.length, fieldBytes));
  const view = new DataView(whole.buffer);
  whole[0] = code;
  let offset = 1;
  for (const [width, value] of fields) {
    if (width === "u8") view.setUint8(offset, value);
    else if (width === "u16") view.setUint16(offset, value, true);
    else if (width === "u32") view.setUint32(offset, value, true);
    else view.setFloat64(offset, value, true);
    offset += widths[width];
  }
  for (const part of tail) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Reads the fields of a message in order. */
export class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 1;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#offset);
  }

  #advance(length: number): number {
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}
