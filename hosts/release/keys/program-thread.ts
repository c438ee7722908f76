import { answerQuestions } from "../../threads/thread.ts";
import { type ProgramEnd, type ProgramQuestion, RunningPrograms } from "./running-programs.ts";

const programs = new RunningPrograms();

// Starts programs beside the thread that serves: a start waits until the system lets the program
// run.
answerQuestions<ProgramQuestion | "end", ProgramEnd | null>((question) => {
  if (question !== "end") return programs.run(question);
  programs.end();
  return null;
});
