/** One change of the chip: a whole sector erased, or the bytes of one write call. */
export type FlashOperation =
  | { readonly kind: "erase"; readonly address: number; readonly lengthBytes: number }
  | {
      readonly kind: "write";
      readonly address: number;
      readonly lengthBytes: number;
      /** The caller's own bytes, valid during the call only; the operation log keeps copies. */
      readonly bytes: Uint8Array;
    };

/**
 * How much of the operation under way survives a power cut: nothing, its first half, its second
 * half, or in every byte only four of the bits (a write leaves the low ones as they were, an erase
 * sets the high ones).
 */
export type CutKind = "clean" | "half" | "tail" | "bits";

/** The kinds in which whole bytes are done or not, those of the recorded runs of MCUboot. */
export const cutKinds: readonly CutKind[] = ["clean", "half", "tail"];

export const allCutKinds: readonly CutKind[] = [...cutKinds, "bits"];

/**
 * Asked before each operation: `drop` reports success and changes nothing, as a worn chip does;
 * `cut-...` cuts the power at that operation.
 */
export type FaultHook = (operation: FlashOperation) => "proceed" | "drop" | `cut-${CutKind}`;

/** Power failed: thrown at the operation that was cut, and by every access until `restorePower`. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";

  constructor() {
    super("the power is off; call restorePower() to start the chip again");
  }
}

export type FlashRule =
  | "outside-flash"
  | "unaligned-erase"
  | "unaligned-write"
  | "sets-a-bit"
  | "bad-geometry";

/**
 * The program broke a rule of NOR flash, which a real driver refuses or turns into corrupt data. It
 * is a defect of the program under test, not of the flash: not a `FlashError` that code may handle.
 * The chip repeats it at every later access, so that a run which swallows it still stops.
 */
export class FlashRuleError extends Error {
  override readonly name = "FlashRuleError";
  readonly rule: FlashRule;

  constructor(rule: FlashRule, message: string) {
    super(`${rule}: ${message}`);
    this.rule = rule;
  }
}

/**
 * A hook that cuts the power at one operation, counted from 0 from the moment the hook is
 * installed.
 */
export function cutAt(operationIndex: number, kind: CutKind): FaultHook {
  let next = 0;
  return () => (next++ === operationIndex ? `cut-${kind}` : "proceed");
}
