import { Agent, request } from "undici";
import type { HttpCall } from "./board/host-calls.ts";
import { exchangeSecurely } from "./secure-exchange.ts";

/** What comes back over a network. */
export type NetworkAnswer =
  | { readonly kind: "unreachable" }
  /** No connection over TLS: one side could not prove itself. `reason` is a `TlsRefusal`. */
  | { readonly kind: "untrusted"; readonly reason: string }
  | {
      readonly kind: "response";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Uint8Array;
      /** The connection breaks after so many bytes of the body; null delivers it whole. */
      readonly brokenAfterBytes: number | null;
      /** How fast it comes; as fast as the device's network when absent. */
      readonly bytesPerSecond?: number;
    };

/** The way from a device to servers. */
export interface Network {
  exchange(call: HttpCall, body: Uint8Array): Promise<NetworkAnswer>;
}

/** More than any image: a body beyond it is cut as by a broken connection. */
const bodyBytesMax = 32 * 1024 * 1024;

/** Real HTTP and HTTPS to servers on this machine. Close it when the simulation is over. */
export class LoopbackNetwork implements Network {
  readonly #agent = new Agent({ connections: 8, pipelining: 1 });

  async exchange(call: HttpCall, body: Uint8Array): Promise<NetworkAnswer> {
    if (call.secure !== null) return exchangeSecurely(call, call.secure, body, bodyBytesMax);
    try {
      // The SDK's client names the host without its port; servers must live with that.
      const headers = { ...call.headers, host: call.host };
      const response = await request(`http://${call.host}:${call.port}${call.path}`, {
        method: call.method as "GET",
        headers,
        body: body.length === 0 ? null : body,
        dispatcher: this.#agent,
      });
      const whole = Buffer.from(await response.body.arrayBuffer());
      return {
        kind: "response",
        status: response.statusCode,
        headers: flattened(response.headers),
        body: whole.subarray(0, bodyBytesMax),
        brokenAfterBytes: whole.length > bodyBytesMax ? bodyBytesMax : null,
      };
    } catch {
      return { kind: "unreachable" }; // refused, reset and malformed responses look the same to the device
    }
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

function flattened(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(", ") : value;
  return flat;
}
