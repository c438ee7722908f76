import { setImmediate as nextTurn } from "node:timers/promises";

/** Work in a row holds the thread no longer than this before others have their turn. */
const sliceMs = 10;

let sliceEndsAtMs = 0;
let sliceIsNew = false;

/**
 * Lets the others have their turn when work that asks here held the thread for a slice. One slice
 * for all of it: it is the thread that they share. What is done between two calls has to be short.
 */
export async function leaveTurn(): Promise<void> {
  if (!sliceIsNew) {
    sliceIsNew = true;
    sliceEndsAtMs = performance.now() + sliceMs;
    setImmediate(() => {
      sliceIsNew = false;
    });
  } else if (performance.now() >= sliceEndsAtMs) await nextTurn();
}
