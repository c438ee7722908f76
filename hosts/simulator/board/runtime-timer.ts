import { hostCall } from "./host-calls.ts";
import { call } from "./runtime-call.ts";

export const timers = new Map<number, { callback: () => void; brand: "Timer" }>();
let lastId = 0;

/** The next id of a timer or of an exchange: the host tells of both by it. */
export function nextId(): number {
  lastId += 1;
  return lastId;
}

/** The SDK's timer module. */
export const timer = {
  set(callback: () => void, delayMs = 0) {
    const id = nextId();
    const handle = { id, brand: "Timer" as const };
    timers.set(id, { callback, brand: "Timer" });
    call(hostCall.timerSet, [
      ["u32", id],
      ["f64", delayMs],
    ]);
    return handle;
  },
  clear(handle: { id: number }) {
    if (timers.delete(handle.id)) call(hostCall.timerClear, [["u32", handle.id]]);
  },
};
