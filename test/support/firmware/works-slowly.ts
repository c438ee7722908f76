// A firmware whose long work takes its time, for the tests: polls come between the steps of a
// verification.
import { openPorts } from "../../../src/device/ports.ts";
import { Agent } from "../../../src/update/agent/agent.ts";
import { defaultSettings, readIdentity } from "../../../src/update/settings.ts";

const stepMs = 300;

const opened = openPorts();
const clock = {
  ...opened.clock,
  after: (delayMs: number, run: () => void) => opened.clock.after(Math.max(delayMs, stepMs), run),
};
const identity = readIdentity(opened.keyValue);
if (identity !== null) new Agent({ ...opened, clock }, identity, defaultSettings).start();
