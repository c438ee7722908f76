import type { HttpCall } from "./board/host-calls.ts";

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
    }
  /** An answer as it came over a connection, not looked at. */
  | {
      readonly kind: "raw";
      readonly segments: readonly Uint8Array[];
      /** The connection ends behind the last segment; without it the device waits. */
      readonly closes: boolean;
    };

/** The way from a device to servers. */
export interface Network {
  exchange(call: HttpCall, body: Uint8Array): Promise<NetworkAnswer>;
}
