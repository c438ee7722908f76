import { hostReply, MessageReader, message } from "./host-calls.ts";

/** What the engine puts into the global scope, and what it finds there. */
interface BoardGlobals {
  /** Answers at once: a status byte, then the result or the text of an error. */
  issueCommand(request: ArrayBuffer): ArrayBuffer;
  /** Called with the board's facts as JSON before the firmware runs. */
  powerOn(facts: string): void;
  /** Called with the firmware as a function. */
  runFirmware(firmware: (require: (name: string) => unknown) => void): void;
  /** One turn. */
  handleCommand(event: ArrayBuffer): void;
  trace(...texts: unknown[]): void;
}

export const globals = globalThis as unknown as BoardGlobals & {
  Date: DateConstructor;
  Math: Math;
};
export const utf8 = new TextEncoder();
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Asks the host and waits for its answer; an error of the host is thrown here. */
export function call(
  code: number,
  fields: Parameters<typeof message>[1] = [],
  ...tail: readonly Uint8Array[]
): MessageReader {
  const request = message(code, fields, ...tail);
  const reply = new Uint8Array(globals.issueCommand(request.buffer as ArrayBuffer));
  const reader = new MessageReader(reply);
  if (reply[0] === hostReply.error) throw new Error(text(reader.rest()));
  return reader;
}
