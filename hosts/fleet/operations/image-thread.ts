import { answerQuestions } from "../../threads/thread.ts";
import { describeArtifact } from "../storage/artifacts.ts";
import { checkImage } from "./image-check.ts";
import type { ImageAnswer, ImageQuestion } from "./image-desk.ts";

// Verifies and hashes images beside the thread that serves.
answerQuestions<ImageQuestion, ImageAnswer>(({ bytes, rules }) => ({
  artifact: describeArtifact(bytes),
  check: rules === null ? null : checkImage(bytes, rules),
}));
