/** How one turn of a board's code ended. */
export type TurnResult =
  | { readonly kind: "done" }
  /** The code threw: the firmware's runtime resets the chip. */
  | { readonly kind: "exception"; readonly message: string }
  /** The code used up its budget: it hangs until the watchdog. */
  | { readonly kind: "overrun" };

/** One boot of one board on a JavaScript engine: made at power-on, closed at the next reset. */
export interface Engine {
  /** Tells the board its facts and runs the firmware, the first turn. */
  start(facts: string, firmware: string): Promise<TurnResult>;
  /** Delivers one event. */
  turn(event: Uint8Array): Promise<TurnResult>;
  close(): void;
}

/** Answers a call of the board at once. */
export type HostCallHandler = (request: Uint8Array) => Uint8Array;

export const engineKinds = ["node", "xs"] as const;
export type EngineKind = (typeof engineKinds)[number];

/** The source that hands the firmware to the runtime. */
export function wrapFirmware(source: string): string {
  return `runFirmware(function (require) { const module = { exports: {} }; const exports = module.exports;\n${source}\n})`;
}
