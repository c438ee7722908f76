// The reference firmware: wiring only.
import { openPorts } from "./device/ports.ts";
import { Agent } from "./update/agent.ts";
import { defaultSettings, readIdentity } from "./update/settings.ts";

const ports = openPorts();
const identity = readIdentity(ports.keyValue);
if (identity === null) ports.log.write("error", "not enrolled: the storage holds no identity");
else new Agent(ports, identity, defaultSettings).start();
