// sluice/network of a board with Wi-Fi: joins the network that the build names, and again whenever
// it is lost.

import WiFi from "embedded:network/interface/wifi";
import config from "mc/config";
import timer from "timer";

/** Between two tries, and between two looks at a network that works. */
const retryMs = 15_000;
/** ECMA-419: at least this for an interface that has an address. */
const connected = 500;

/** Begins to join; returns at once. Without a name of a network it only says so. */
export function bringUp(): void {
  const { ssid, password } = config;
  if (ssid === undefined) {
    trace("error: this build names no Wi-Fi network: build it with ssid=... password=...\n");
    return;
  }
  const credentials = { SSID: ssid, ...(password === undefined ? {} : { password }) };
  const network = new WiFi({});
  const join = (): void => {
    if (network.connection < connected) network.connect(credentials);
    timer.set(join, retryMs);
  };
  join();
}

/** One line on the console. */
declare function trace(...texts: unknown[]): void;
