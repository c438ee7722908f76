import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { type Engine, type HostCallHandler, type TurnResult, wrapFirmware } from "./engine.ts";
import { runtimeSource } from "./runtime-source.ts";

/**
 * Metered steps that one turn may take (the engine's own unit, about one bytecode each). The
 * longest turn of the firmware takes some hundred thousand; a loop that never ends runs through it
 * in a few seconds.
 */
const turnBudgetSteps = 100_000_000;

const workerFolder = new URL("../../../node_modules/.cache/sluice/xs-worker/", import.meta.url);
const workerPath = fileURLToPath(new URL("xsnap-worker-0.15.0", workerFolder));
const reasonPath = fileURLToPath(new URL("missing.txt", workerFolder));

/** Why engine xs cannot run on this machine, or null when it can. */
export function xsEngineMissing(): string | null {
  if (existsSync(workerPath)) return null;
  const reason = existsSync(reasonPath) ? readFileSync(reasonPath, "utf8") : "it was never built";
  return `engine xs is not built (${reason}); install a C compiler and make, then run "npm ci" again`;
}

/** Replies of the worker are at most a meter's JSON and a short result. */
const replyBytesMax = 16 * 1024 * 1024;
/** `E_TOO_MUCH_COMPUTATION` of xsnap.h. */
const exitTooMuchComputation = 17;

const prefix = { evaluate: "e", command: "?", done: ".", failed: "!", answer: "/" } as const;

/**
 * The firmware in Moddable's XS engine, in a process of its own: npm's xsnap worker, driven
 * directly.
 */
export class XsEngine implements Engine {
  readonly #handle: HostCallHandler;
  readonly #worker: ChildProcess;
  readonly #toWorker: Writable;
  readonly #incoming = new NetstringReader(replyBytesMax);
  #settle: ((result: TurnResult) => void) | null = null;
  #ended: TurnResult | null = null;

  constructor(handle: HostCallHandler) {
    const missing = xsEngineMissing();
    if (missing !== null) throw new Error(missing);
    this.#handle = handle;
    this.#worker = spawn(workerPath, ["-l", String(turnBudgetSteps)], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    this.#toWorker = this.#worker.stdio[3] as Writable;
    const fromWorker = this.#worker.stdio[4] as Readable;
    this.#toWorker.on("error", () => {}); // a worker that is gone says so by its exit, below
    fromWorker.on("data", (chunk: Buffer) => this.#received(chunk));
    this.#worker.on("exit", (code) => this.#exited(code));
    this.#worker.on("error", (error) => this.#end({ kind: "exception", message: String(error) }));
  }

  async start(facts: string, firmware: string): Promise<TurnResult> {
    for (const source of [
      // The worker reports an exception of a command, but a command must be there to report it for.
      runtimeSource(),
      `globalThis.trace = trace; powerOn(${JSON.stringify(facts)})`,
      wrapFirmware(firmware),
    ]) {
      const result = await this.#send(prefix.evaluate, Buffer.from(source));
      if (result.kind !== "done") return result;
    }
    return { kind: "done" };
  }

  turn(event: Uint8Array): Promise<TurnResult> {
    return this.#send(prefix.command, event);
  }

  close(): void {
    this.#ended ??= { kind: "exception", message: "closed" };
    this.#worker.kill("SIGKILL");
  }

  #send(kind: string, body: Uint8Array): Promise<TurnResult> {
    if (this.#ended !== null) return Promise.resolve(this.#ended);
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#write(kind, body);
    });
  }

  #write(kind: string, body: Uint8Array): void {
    this.#toWorker.write(`${body.length + 1}:${kind}`);
    this.#toWorker.write(body);
    this.#toWorker.write(",");
  }

  #received(chunk: Buffer): void {
    for (const message of this.#incoming.push(chunk)) {
      const kind = String.fromCharCode(message[0] ?? 0);
      const body = message.subarray(1);
      if (kind === prefix.command) this.#write(prefix.answer, this.#handle(Uint8Array.from(body)));
      else if (kind === prefix.done) this.#finish({ kind: "done" });
      else this.#finish({ kind: "exception", message: body.toString("utf8") });
    }
  }

  #exited(code: number | null): void {
    if (code === exitTooMuchComputation) this.#end({ kind: "overrun" });
    else this.#end({ kind: "exception", message: `the XS worker ended with exit code ${code}` });
  }

  #end(result: TurnResult): void {
    this.#ended ??= result;
    this.#finish(this.#ended);
  }

  #finish(result: TurnResult): void {
    const settle = this.#settle;
    this.#settle = null;
    settle?.(result);
  }
}

/** Splits a byte stream into netstrings (`length:bytes,`). */
class NetstringReader {
  readonly #bytesMax: number;
  #buffered: Buffer = Buffer.alloc(0);

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  *push(chunk: Buffer): Generator<Buffer> {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    for (;;) {
      const colon = this.#buffered.indexOf(":");
      if (colon < 0) return;
      const length = Number(this.#buffered.toString("latin1", 0, colon));
      if (!Number.isInteger(length) || length > this.#bytesMax)
        throw new Error(`the XS worker announced a message of ${length} bytes`);
      const end = colon + 1 + length;
      if (this.#buffered.length <= end) return;
      yield this.#buffered.subarray(colon + 1, end);
      this.#buffered = this.#buffered.subarray(end + 1);
    }
  }
}
