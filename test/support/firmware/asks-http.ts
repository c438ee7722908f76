// A firmware for the tests: it asks its server for odd answers and says what it made of each.
import { openPorts } from "../../../src/device/ports.ts";
import { readIdentity } from "../../../src/update/settings.ts";
import { askAnswers } from "./ask-answers.ts";

declare function trace(...texts: unknown[]): void;

const { http, keyValue, watchdog, log } = openPorts();
watchdog.start();
const identity = readIdentity(keyValue);
if (identity !== null)
  askAnswers(http, identity.serverUrl, (line) => trace(`${line}\n`)).catch((error: unknown) =>
    log.write("error", String(error)),
  );
