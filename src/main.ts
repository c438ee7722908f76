// The reference firmware: wiring only.
import { startUpdates } from "./sluice.ts";

startUpdates();
