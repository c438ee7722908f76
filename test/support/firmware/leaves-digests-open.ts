// A firmware with a defect, for the tests: it opens a digest every minute and ends none.
import { openPorts } from "../../../src/device/ports.ts";

const { crypto, clock, watchdog } = openPorts();
watchdog.start();

function again(): void {
  crypto.sha256();
  clock.after(60_000, again);
}

again();
