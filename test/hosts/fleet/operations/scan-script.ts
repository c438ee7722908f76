import type { ScanAnswered, ScanAsked } from "../../../../hosts/fleet/operations/scan-desk.ts";
import { answerQuestions } from "../../../../hosts/threads/thread.ts";

// A thread that answers what it is asked, ends, or never comes back.
answerQuestions<ScanAsked, ScanAnswered>(({ question }) => {
  if (question === "exit") process.exit();
  if (question === "hang") for (;;);
  return { ok: true, answer: question };
});
