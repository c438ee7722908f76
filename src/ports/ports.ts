import type { Clock, KeyValue, Log, Power, Random, Reset, Watchdog } from "./board.ts";
import type { Crypto } from "./crypto.ts";
import type { FlashPartitions } from "./flash.ts";
import type { Http } from "./http.ts";

/** Everything that the agent needs of the world. */
export interface Ports {
  readonly flash: FlashPartitions;
  readonly http: Http;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyValue: KeyValue;
  readonly power: Power;
  readonly watchdog: Watchdog;
  readonly reset: Reset;
  readonly crypto: Crypto;
  readonly log: Log;
}
