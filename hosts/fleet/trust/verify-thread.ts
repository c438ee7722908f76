import { type TrustReport, type TrustSet, verifyTrust } from "../../release/trust/verify.ts";
import { answerQuestions } from "../../threads/thread.ts";

export interface VerifyQuestion {
  readonly set: TrustSet;
  readonly now: number;
}

// Checks signed metadata as devices do, beside the thread that serves: each root adds signatures.
answerQuestions<VerifyQuestion, TrustReport>(({ set, now }) => verifyTrust(set, now));
