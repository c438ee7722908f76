// A release with a defect, for the tests: it runs, but its server is not where it looks, so it is
// never healthy.
import { openPorts } from "../../../src/device/ports.ts";
import { Agent } from "../../../src/update/agent/agent.ts";
import { defaultSettings, readIdentity } from "../../../src/update/settings.ts";

const ports = openPorts();
const identity = readIdentity(ports.keyValue);
if (identity !== null)
  new Agent(ports, { ...identity, serverUrl: "http://127.0.0.1:1" }, defaultSettings).start();
