import type { Effect } from "./effect.ts";
import type { Context, Event } from "./event.ts";
import type { State } from "./state.ts";

/** One turn of the state machine. */
export interface Turn {
  readonly before: State;
  readonly event: Event;
  readonly after: State;
  readonly effects: readonly Effect[];
  readonly context: Context;
}
