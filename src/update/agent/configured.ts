import { Configuration, configurationBytesMax } from "../../config/configuration.ts";
import { ConfigurationUpdate } from "../../config/configuration-update.ts";
import { windowsOf } from "../../config/windows.ts";
import { failingAfterConfirm } from "../../policy/health.ts";
import { tickMsMax } from "../../policy/stability-settings.ts";
import { type MaintenanceWindows, noWindows } from "../../policy/windows.ts";
import type { TimerHandle } from "../../ports/board.ts";
import type { Http } from "../../ports/http.ts";
import type { Ports } from "../../ports/ports.ts";
import type { ConfigurationOffer } from "../../protocol/ddi.ts";
import type { DdiClient } from "../../transfer/ddi-client.ts";
import { fetchSmallFile } from "../../transfer/small-file.ts";
import type { HealthChecks } from "../health/health-checks.ts";
import type { Identity, Settings } from "../settings.ts";

export interface ConfiguredTools {
  readonly ports: Ports;
  readonly http: Http;
  readonly client: DdiClient;
  readonly identity: Identity;
  readonly settings: Settings;
  readonly checks: HealthChecks;
  /** A document did not come: where it is may have changed. */
  notFetched(): void;
  /** What the server knows of the device, and hears anew when another document is in effect. */
  attributes(): Readonly<Record<string, string>>;
  /** Takes a promise that nobody waits for. */
  unattended(work: Promise<unknown>): void;
}

/**
 * The configuration of a running device: what of it the agent itself obeys, and the trial of a new
 * document under the same health checks as an image's. It is kept when it was in effect for a
 * minute, the server was reached since and no check fails.
 */
export class Configured {
  readonly configuration: Configuration;
  readonly #tools: ConfiguredTools;
  readonly #update: ConfigurationUpdate;
  #windows: MaintenanceWindows = noWindows;
  #timer: TimerHandle | null = null;
  #sinceMs = 0;
  #reached = false;

  constructor(tools: ConfiguredTools) {
    const { ports, http, client, identity, settings } = tools;
    this.#tools = tools;
    this.configuration = new Configuration({
      keyValue: ports.keyValue,
      crypto: ports.crypto,
      keys: identity.imageKeys.map(({ publicKey }) => publicKey),
      schemas: settings.configurationSchemas,
    });
    this.#update = new ConfigurationUpdate({
      configuration: this.configuration,
      keyValue: ports.keyValue,
      crypto: ports.crypto,
      bytesMax: configurationBytesMax,
      fetch: async (offer) => {
        const url = client.addressOf(offer.url);
        const { fileBytes } = offer;
        const timeoutMs = settings.requestTimeoutMs;
        const headers = client.headers(url);
        const file = await fetchSmallFile(http, { url, headers, fileBytes, timeoutMs });
        if (!file.ok) tools.notFetched();
        return file;
      },
      report: async (actionId, feedback) => {
        const sent = await client.feedback(actionId, feedback);
        return sent.ok || sent.reason === "response-invalid";
      },
      changed: () => {
        this.#inEffect();
        tools.unattended(client.attributes(tools.attributes()));
      },
    });
  }

  /** The windows of the document in effect; none are configured without one. */
  get windows(): MaintenanceWindows {
    return this.#windows;
  }

  /** What the server is told of it. */
  get attribute(): string {
    return this.#update.attribute;
  }

  get onTrial(): boolean {
    return this.#update.onTrial;
  }

  /** To be called once in each boot, before anything reads the configuration. */
  booted(): void {
    this.#update.booted();
    this.#inEffect();
  }

  offered(offer: ConfigurationOffer): void {
    this.#tools.unattended(this.#update.offered(offer));
  }

  /** The server answered a poll. */
  reached(): void {
    this.#reached = true;
    this.#tools.unattended(this.#update.polled());
  }

  /**
   * Windows that cannot be read open nothing; such a document is not taken, but storage can age.
   */
  #inEffect(): void {
    const read = windowsOf(this.configuration.read()?.values ?? {});
    this.#windows = read.ok ? read.windows : { ...noWindows, download: [], install: [] };
    this.#timer?.cancel();
    this.#timer = null;
    if (!this.onTrial) return;
    this.#reached = false;
    this.#sinceMs = this.#tools.ports.clock.uptimeMs();
    this.#wait();
  }

  #wait(): void {
    this.#timer = this.#tools.ports.clock.after(tickMsMax, () => {
      this.#timer = null;
      this.#tools.unattended(this.#look());
    });
  }

  async #look(): Promise<void> {
    const { ports, checks, settings } = this.#tools;
    checks.ask(() => undefined); // what is a promise has answered by the next look
    const uptimeMs = ports.clock.uptimeMs();
    const isTried = uptimeMs - this.#sinceMs >= settings.configurationTrialMs;
    const failing = failingAfterConfirm(checks.results());
    if (isTried && failing !== null) await this.#update.unhealthy();
    else if (isTried && this.#reached) await this.#update.healthy();
    else await this.#update.tick(uptimeMs);
    if (this.onTrial && this.#timer === null) this.#wait();
  }
}
