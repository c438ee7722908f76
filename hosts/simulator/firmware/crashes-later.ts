// A release with a defect, for the tests: it is healthy at its trial, and crashes a while after
// each start.
import { startUpdates } from "../../../src/sluice.ts";

const crashesAfterMs = 40_000;

startUpdates()?.ports.clock.after(crashesAfterMs, () => {
  throw new Error("a buffer that nobody emptied is full");
});
