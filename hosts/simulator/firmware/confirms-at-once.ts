// A defect for the checkers: it confirms itself before it has shown that it reaches its server.
import { openPorts } from "../../../src/device/ports.ts";
import { Slots } from "../../../src/slots/slots.ts";
import { startUpdates } from "../../../src/sluice.ts";

new Slots(openPorts().flash).confirm();
startUpdates();
