import { parentPort } from "node:worker_threads";
import { describeArtifact } from "../storage/artifacts.ts";
import { checkImage } from "./image-check.ts";
import type { ImageAnswer, ImageQuestion } from "./image-desk.ts";

// Verifies and hashes images beside the thread that serves.
parentPort?.on("message", ({ bytes, rules }: ImageQuestion) => {
  const answer: ImageAnswer = {
    artifact: describeArtifact(bytes),
    check: rules === null ? null : checkImage(bytes, rules),
  };
  parentPort?.postMessage(answer);
});
