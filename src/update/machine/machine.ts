import { StorageError } from "../../ports/board.ts";
import type { Ports } from "../../ports/ports.ts";
import type { Effect } from "./effect.ts";
import type { Context, Event } from "./event.ts";
import type { Journal } from "./journal.ts";
import type { State } from "./state.ts";
import { transition } from "./transition.ts";
import type { Turn } from "./turn.ts";

/** Transitions that one event may set off; more would be a loop of ours. */
const cascadeMax = 32;

export interface MachineTools {
  readonly ports: Ports;
  readonly journal: Journal;
  context(): Context;
  /** The state is stored; its effects come next. */
  turned(turn: Turn): void;
  perform(effect: Effect): void;
}

/**
 * Runs the pure `transition`: takes events one at a time, stores each state before its effects, and
 * has them performed. What an effect throws ends that effect alone.
 */
export class Machine {
  readonly #tools: MachineTools;
  readonly #events: Event[] = [];
  #state: State = { kind: "idle" };
  #draining = false;

  constructor(tools: MachineTools) {
    this.#tools = tools;
  }

  get state(): State {
    return this.#state;
  }

  /** Takes up what the journal holds. */
  restore(): void {
    this.#state = this.#tools.journal.read();
  }

  /** Takes the events in order; one that comes up during another waits for its end. */
  happened(event: Event): void {
    this.#events.push(event);
    if (this.#draining) return;
    this.#draining = true;
    let turns = 0;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      const current = next;
      turns += 1;
      if (turns <= cascadeMax) this.#attempt(() => this.#step(current));
      else this.#unexpected(`${cascadeMax} transitions in a row, ${current.kind} dropped`);
    }
    this.#draining = false;
  }

  #step(event: Event): void {
    const tools = this.#tools;
    const before = this.#state;
    const facts = tools.context();
    const { state: after, effects } = transition(before, event, facts);
    if (after.kind !== before.kind)
      tools.ports.log.write("info", `${before.kind} -> ${after.kind} on ${event.kind}`);
    this.#state = after;
    const isStored = this.#store(after);
    if (isStored) {
      this.#attempt(() => tools.turned({ before, event, after, effects, context: facts }));
      for (const effect of effects) this.#attempt(() => tools.perform(effect));
    }
  }

  /**
   * A state that cannot be stored must not lead to a swap; every other one is followed all the
   * same.
   */
  #store(state: State): boolean {
    const { journal, ports } = this.#tools;
    try {
      if (journal.write(state)) return true;
      this.#events.push({ kind: "exhausted" });
      return false;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      ports.log.write("error", `journal: ${error.message}`);
      if (state.kind !== "activating") return true;
      this.#events.push({ kind: "swapFailed", reason: "storage-error" });
      return false;
    }
  }

  #attempt(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#unexpected(String(error));
    }
  }

  #unexpected(what: string): void {
    this.#tools.ports.log.write("error", `unexpected: ${what}`);
  }
}
