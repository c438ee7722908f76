import type { HttpHead } from "../ports/http.ts";
import { type BodyFrame, framingOf, type ResponseDefect } from "./http-framing.ts";

/** Receives what is read; answers false to have nothing more of it read. */
export interface ResponseSink {
  head(head: HttpHead): boolean;
  /** The bytes are valid during the call only. */
  body(bytes: Uint8Array): boolean;
}

export type ReaderState = "reading" | "done" | "stopped" | "cut" | ResponseDefect;

/** The most bytes that all heads of one answer have, interim ones and trailers included. */
const headBytesMax = 16_384;
/** Answers with 1xx before the one that counts. */
const interimMax = 8;
/** The longest value of a header that is kept: an address is the longest. */
const valueBytesMax = 2304;
const nameBytesMax = 64;
/** The longest line that tells how long a chunk is, extensions included. */
const chunkLineBytesMax = 1024;
/** Without leading zeros; no body is longer than 4 GiB. */
const chunkDigitsMax = 8;

/**
 * All that the firmware reads; the values of others are not kept, so that a long one takes no
 * memory.
 */
const keptNames: readonly string[] = [
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "date",
  "location",
  "retry-after",
  "transfer-encoding",
];

const [tab, lineFeed, carriageReturn, space] = [9, 10, 13, 32] as const;
const [semicolon, colon] = [59, 58] as const;

type Place =
  | "status"
  | "line-start"
  | "name"
  | "value"
  | "body"
  | "chunk-start"
  | "chunk-size"
  | "chunk-padding"
  | "chunk-extension"
  | "chunk-data"
  | "chunk-end"
  | "over";

/**
 * Reads one HTTP/1.1 answer (RFC 9112) as its bytes come, in pieces of any size. Interim answers
 * are passed over; a head ends with CRLF or LF, chunks are framed with CRLF alone. It keeps the
 * headers that the firmware reads and no more, and never throws.
 */
export class ResponseReader {
  readonly #method: string;
  readonly #sink: ResponseSink;
  #state: ReaderState = "reading";
  #place: Place = "status";
  #headBytes = 0;
  #interims = 0;
  #status = 0;
  #headers = new Map<string, string>();
  /** The status line, the name or the value that is being read, as far as it came. */
  #text = "";
  #name = "";
  #isKept = false;
  #sawReturn = false;
  /** Behind the last chunk. */
  #inTrailers = false;
  #frame: BodyFrame = { kind: "close" };
  /** Bytes of the body, or of the chunk, that are still to come. */
  #leftBytes = 0;
  #bodyBytes = 0;
  #chunkDigits = 0;
  #chunkLineBytes = 0;

  constructor(method: string, sink: ResponseSink) {
    this.#method = method;
    this.#sink = sink;
  }

  /**
   * Takes what came. What lies behind the end of the answer is left alone: its connection is used
   * once.
   */
  take(bytes: Uint8Array): ReaderState {
    // Bounded: every turn takes a byte at least, or ends the reading.
    for (let at = 0; at < bytes.length && this.#state === "reading"; ) {
      if (this.#place === "body" || this.#place === "chunk-data") at += this.#content(bytes, at);
      else {
        this.#octet(bytes[at] ?? 0);
        at += 1;
      }
    }
    return this.#state;
  }

  /** The connection is over. Only a body that ends with it is whole then. */
  closed(): ReaderState {
    if (this.#state !== "reading") return this.#state;
    const isWhole = this.#place === "body" && this.#frame.kind === "close";
    this.#state = isWhole ? "done" : "cut";
    return this.#state;
  }

  #content(bytes: Uint8Array, at: number): number {
    const isOpen = this.#place === "body" && this.#frame.kind === "close";
    const room = bytes.length - at;
    const count = isOpen ? room : Math.min(room, this.#leftBytes);
    this.#bodyBytes += count;
    this.#leftBytes -= count;
    const isWanted = this.#sink.body(bytes.subarray(at, at + count));
    if (!isWanted) this.#end("stopped");
    else if (!isOpen && this.#leftBytes === 0) {
      if (this.#place === "body") this.#end("done");
      else this.#place = "chunk-end";
    }
    return count;
  }

  #octet(octet: number): ReaderState {
    switch (this.#place) {
      case "chunk-start":
      case "chunk-size":
      case "chunk-padding":
      case "chunk-extension":
        return this.#chunkLine(octet);
      case "chunk-end":
        return this.#chunkEnd(octet);
      default:
        return this.#headOctet(octet);
    }
  }

  /** Takes one octet of a status line, a header or a trailer. */
  #headOctet(octet: number): ReaderState {
    this.#headBytes += 1;
    if (this.#headBytes > headBytesMax) return this.#end("head-too-large");
    if (octet === lineFeed) {
      this.#sawReturn = false;
      return this.#lineEnded();
    }
    // A CR that no LF follows, and NUL, make a line invalid (RFC 9112, 2.2; RFC 9110, 5.5).
    if (this.#sawReturn || octet === 0) return this.#end("response-malformed");
    if (octet === carriageReturn) {
      this.#sawReturn = true;
      return this.#state;
    }
    switch (this.#place) {
      case "status":
        // What is behind the status is for people.
        if (this.#text.length < statusLineStart.length) this.#text += String.fromCharCode(octet);
        return this.#state;
      case "value":
        return this.#valueOctet(octet);
      default:
        return this.#nameOctet(octet);
    }
  }

  #nameOctet(octet: number): ReaderState {
    if (this.#place === "line-start") {
      // A line that begins with a space goes on with the one before (obs-fold): RFC 9112, 5.2.
      const isFolded = this.#name !== "" && (octet === space || octet === tab);
      if (isFolded) {
        this.#place = "value";
        return this.#valueOctet(space);
      }
      this.#headerEnded();
    }
    if (octet === colon && this.#text !== "") {
      this.#name = this.#text.toLowerCase();
      this.#isKept = !this.#inTrailers && keptNames.includes(this.#name);
      this.#text = "";
      this.#place = "value";
      return this.#state;
    }
    if (!isTokenOctet(octet)) return this.#end("response-malformed");
    this.#place = "name";
    if (this.#text.length < nameBytesMax) this.#text += String.fromCharCode(octet);
    return this.#state;
  }

  #valueOctet(octet: number): ReaderState {
    const isLeading = this.#text === "" && (octet === space || octet === tab);
    if (!this.#isKept || isLeading) return this.#state;
    if (this.#text.length === valueBytesMax) return this.#end("head-too-large");
    this.#text += String.fromCharCode(octet);
    return this.#state;
  }

  #lineEnded(): ReaderState {
    switch (this.#place) {
      case "status":
        return this.#statusEnded();
      case "value":
        this.#place = "line-start";
        return this.#state;
      case "line-start":
        this.#headerEnded();
        return this.#inTrailers ? this.#chunksEnded() : this.#headEnded();
      default:
        return this.#end("response-malformed"); // a line without a colon
    }
  }

  /** The line behind the last one of a header showed that it is over. */
  #headerEnded(): void {
    const before = this.#headers.get(this.#name);
    const value = this.#text.trim();
    if (this.#isKept && this.#name !== "")
      this.#headers.set(this.#name, before === undefined ? value : `${before}, ${value}`);
    this.#name = "";
    this.#text = "";
  }

  /** `HTTP/1.x SSS`, and then nothing or a space and words (RFC 9112, 4). */
  #statusEnded(): ReaderState {
    const line = this.#text;
    this.#text = "";
    const digits = line.slice(9, 12);
    const isVersion = line.startsWith("HTTP/1.") && isDigit(line, 7) && line.charAt(8) === " ";
    const isStatus = digits.length === 3 && [0, 1, 2].every((index) => isDigit(digits, index));
    const behind = line.charAt(12);
    this.#status = Number(digits);
    if (!isVersion || !isStatus || this.#status < 100 || (behind !== "" && behind !== " "))
      return this.#end("response-malformed");
    this.#place = "line-start";
    return this.#state;
  }

  #headEnded(): ReaderState {
    const [status, headers] = [this.#status, this.#headers];
    this.#headers = new Map();
    if (status < 200) {
      this.#interims += 1;
      // Nobody asked for another protocol.
      if (status === 101) return this.#end("response-malformed");
      if (this.#interims > interimMax) return this.#end("head-too-large");
      this.#place = "status";
      return this.#state;
    }
    const framing = framingOf(this.#method, status, headers);
    // The status of what no body is wanted of counts, however the body is framed.
    if (!framing.ok && status < 300) return this.#end(framing.defect);
    if (!this.#sink.head({ status, headers })) return this.#end("stopped");
    if (!framing.ok) return this.#end(framing.defect);
    this.#frame = framing.frame;
    if (framing.frame.kind === "chunked") {
      this.#place = "chunk-start";
      return this.#state;
    }
    this.#place = "body";
    if (framing.frame.kind === "length") this.#leftBytes = framing.frame.bytes;
    return framing.frame.kind === "length" && this.#leftBytes === 0
      ? this.#end("done")
      : this.#state;
  }

  /** Digits, then perhaps spaces, perhaps extensions, and CRLF (RFC 9112, 7.1). */
  #chunkLine(octet: number): ReaderState {
    this.#chunkLineBytes += 1;
    if (this.#chunkLineBytes > chunkLineBytesMax) return this.#end("response-malformed");
    const hasDigits = this.#place !== "chunk-start";
    if (octet === lineFeed) {
      if (!this.#sawReturn || !hasDigits) return this.#end("response-malformed");
      return this.#chunkBegins();
    }
    if (this.#sawReturn) return this.#end("response-malformed");
    if (octet === carriageReturn) {
      this.#sawReturn = true;
      return this.#state;
    }
    if (this.#place === "chunk-extension") return this.#state;
    if (hasDigits && octet === semicolon) {
      this.#place = "chunk-extension";
      return this.#state;
    }
    if (hasDigits && (octet === space || octet === tab)) {
      this.#place = "chunk-padding";
      return this.#state;
    }
    const digit = this.#place === "chunk-padding" ? -1 : hexDigitOf(octet);
    if (digit > 0 || this.#chunkDigits > 0) this.#chunkDigits += 1;
    if (digit < 0 || this.#chunkDigits > chunkDigitsMax) return this.#end("response-malformed");
    this.#place = "chunk-size";
    this.#leftBytes = this.#leftBytes * 16 + digit;
    return this.#state;
  }

  #chunkBegins(): ReaderState {
    this.#sawReturn = false;
    this.#chunkDigits = 0;
    this.#chunkLineBytes = 0;
    this.#inTrailers = this.#leftBytes === 0;
    this.#place = this.#inTrailers ? "line-start" : "chunk-data";
    return this.#state;
  }

  #chunkEnd(octet: number): ReaderState {
    if (!this.#sawReturn && octet === carriageReturn) {
      this.#sawReturn = true;
      return this.#state;
    }
    if (!this.#sawReturn || octet !== lineFeed) return this.#end("response-malformed");
    this.#sawReturn = false;
    this.#place = "chunk-start";
    return this.#state;
  }

  #chunksEnded(): ReaderState {
    const { kind, bytes } = this.#frame as Extract<BodyFrame, { kind: "chunked" }>;
    const agrees = kind === "chunked" && (bytes === null || bytes === this.#bodyBytes);
    return this.#end(agrees ? "done" : "response-malformed");
  }

  #end(state: ReaderState): ReaderState {
    this.#state = state;
    this.#place = "over";
    return state;
  }
}

/** The part of a status line that is looked at. */
const statusLineStart = "HTTP/1.1 200 ";

function isDigit(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 48 && code <= 57;
}

/** Negative for any other character. */
function hexDigitOf(octet: number): number {
  if (octet >= 48 && octet <= 57) return octet - 48;
  const letter = octet | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** RFC 9110, 5.6.2: visible ASCII without delimiters. */
function isTokenOctet(octet: number): boolean {
  if (octet <= space || octet > 126) return false;
  return !'"(),/:;<=>?@[\\]{}'.includes(String.fromCharCode(octet));
}
