import { parentPort } from "node:worker_threads";
import { type TrustReport, type TrustSet, verifyTrust } from "../../release/trust/verify.ts";

export interface VerifyQuestion {
  readonly set: TrustSet;
  readonly now: number;
}

// Checks signed metadata as devices do, beside the thread that serves: each root adds signatures.
parentPort?.on("message", ({ set, now }: VerifyQuestion) => {
  parentPort?.postMessage(verifyTrust(set, now) satisfies TrustReport);
});
