import type { TrustLimits } from "./limits.ts";
import type { SignatureMemory } from "./signature-memory.ts";
import type { TrustCrypto } from "./trust-crypto.ts";

/** What files are checked by: bounds, hashes and signatures, and what was checked before. */
export interface TrustRules {
  readonly limits: TrustLimits;
  readonly crypto: TrustCrypto;
  /** Null checks every signature every time. */
  readonly memory: SignatureMemory | null;
}
