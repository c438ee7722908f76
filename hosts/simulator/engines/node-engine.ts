import { type Context, createContext, Script } from "node:vm";
import { type Engine, type HostCallHandler, type TurnResult, wrapFirmware } from "./engine.ts";
import { runtimeSource } from "./runtime-source.ts";

/**
 * Real milliseconds that one turn may take, microtasks included. A turn takes well under one; the
 * budget is what a loop that never ends costs the simulation, and generous because machines under
 * load stall.
 */
const turnBudgetMs = 2000;

let runtime: Script | null = null;
const turnScript = new Script("handleCommand(pendingEvent)", { filename: "turn.js" });
const firmwareScripts = new Map<string, Script>();
const firmwareScriptsMax = 16;

/** The firmware in a V8 context of its own, in this process. */
export class NodeEngine implements Engine {
  readonly #context: Context;
  readonly #runOptions: { readonly timeout?: number };

  /**
   * `budgetMs` null lets a turn take forever: for known firmware, because a budget costs a thread
   * at every turn.
   */
  constructor(handle: HostCallHandler, budgetMs: number | null = turnBudgetMs) {
    this.#runOptions = budgetMs === null ? {} : { timeout: budgetMs };
    runtime ??= new Script(runtimeSource(), { filename: "board-runtime.js" });
    this.#context = createContext(
      {
        TextEncoder,
        TextDecoder,
        issueCommand: (request: ArrayBuffer) => handle(new Uint8Array(request)).buffer,
        pendingEvent: new ArrayBuffer(0),
      },
      { microtaskMode: "afterEvaluate" },
    );
    runtime.runInContext(this.#context);
  }

  start(facts: string, firmware: string): Promise<TurnResult> {
    this.#context["boardFacts"] = facts;
    const powered = this.#run(new Script("powerOn(boardFacts)"));
    return Promise.resolve(powered.kind === "done" ? this.#run(compiled(firmware)) : powered);
  }

  turn(event: Uint8Array): Promise<TurnResult> {
    this.#context["pendingEvent"] = event.slice().buffer;
    return Promise.resolve(this.#run(turnScript));
  }

  close(): void {
    // The context goes with this object.
  }

  #run(script: Script | string): TurnResult {
    if (typeof script === "string") return { kind: "exception", message: script };
    try {
      script.runInContext(this.#context, this.#runOptions);
      return { kind: "done" };
    } catch (error) {
      if ((error as { code?: unknown }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT")
        return { kind: "overrun" };
      return { kind: "exception", message: String(error) };
    }
  }
}

/**
 * Devices of a fleet run few firmwares; compiling is done once for each. A syntax error answers its
 * text.
 */
function compiled(firmware: string): Script | string {
  const known = firmwareScripts.get(firmware);
  if (known !== undefined) return known;
  try {
    const script = new Script(wrapFirmware(firmware), { filename: "firmware.js" });
    if (firmwareScripts.size >= firmwareScriptsMax) firmwareScripts.clear();
    firmwareScripts.set(firmware, script);
    return script;
  } catch (error) {
    return String(error);
  }
}
