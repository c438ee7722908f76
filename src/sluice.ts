import { boardSettings, openPorts } from "./device/ports.ts";
import type { Ports } from "./ports/ports.ts";
import { withoutPlainHttp } from "./transfer/plain-http.ts";
import { Agent, type AgentOptions } from "./update/agent/agent.ts";
import { defaultSettings, type Identity, readIdentity, type Settings } from "./update/settings.ts";

/** What an application holds of its updater. */
export interface Sluice {
  readonly ports: Ports;
  readonly identity: Identity;
  readonly agent: Agent;
}

/**
 * Starts the updates of this device beside the application: call it once, early, from the main
 * module. Null on a device that was never enrolled; it then runs on without updates.
 */
export function startUpdates(
  settings: Settings = withBoardSettings(defaultSettings),
  options: AgentOptions = {},
): Sluice | null {
  const opened = openPorts();
  const ports = settings.plainHttp ? opened : { ...opened, http: withoutPlainHttp(opened.http) };
  const identity = readIdentity(ports.keyValue);
  if (identity === null) {
    ports.log.write("error", "not enrolled: the storage holds no identity");
    ports.watchdog.start(); // the bootloader's runs: without an agent nobody would feed it
    return null;
  }
  const agent = new Agent(ports, identity, settings, options);
  agent.start();
  return { ports, identity, agent };
}

/** What the build of this board set goes before. */
export function withBoardSettings(settings: Settings): Settings {
  const { trialMs, ...rest } = boardSettings();
  const health = { ...settings.health, trialMs: trialMs ?? settings.health.trialMs };
  return { ...settings, ...rest, health };
}
