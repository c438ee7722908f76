// A release with a defect, for the tests: its main loop never comes to its first turn.
import { startUpdates } from "../../../src/sluice.ts";

startUpdates();
for (;;);
