// A defect for the checkers: it reports every journal write as done and keeps nothing across a
// reset.
import { openPorts } from "../../../src/device/ports.ts";
import { Agent } from "../../../src/update/agent/agent.ts";
import { defaultSettings, readIdentity } from "../../../src/update/settings.ts";

const ports = openPorts();
const identity = readIdentity(ports.keyValue);
const keyValue = {
  read: (key: string) => ports.keyValue.read(key),
  write() {},
  delete: (key: string) => ports.keyValue.delete(key),
};
if (identity !== null) new Agent({ ...ports, keyValue }, identity, defaultSettings).start();
