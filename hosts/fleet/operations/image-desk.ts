import { Thread } from "../../threads/thread.ts";
import { describeArtifact, type StoredArtifact } from "../storage/artifacts.ts";
import { Turns } from "../time/turns.ts";
import { checkImage, type ImageCheck, type PublishRules } from "./image-check.ts";

export interface ImageQuestion {
  readonly bytes: Uint8Array;
  /** Null: only the hashes are wanted. */
  readonly rules: PublishRules | null;
}

export interface ImageAnswer {
  readonly artifact: StoredArtifact;
  readonly check: ImageCheck | null;
}

/** What takes no longer than a request does is not worth another thread. */
const inlineBytesMax = 64 * 1024;

/**
 * Verifies and hashes what is uploaded, in a thread of its own: an image of 16 MiB would hold up
 * every poll for as long as its hashes take. One at a time; the bodies of those that wait are in
 * memory, so that only a few may.
 */
export class ImageDesk {
  readonly #turns = new Turns("uploads", { atOnceMax: 1, waitingMax: 8 });
  readonly #thread = new Thread<ImageQuestion, ImageAnswer>(
    new URL("./image-thread.ts", import.meta.url),
    "checks images",
  );

  async check(
    bytes: Uint8Array,
    rules: PublishRules,
  ): Promise<{ readonly artifact: StoredArtifact; readonly check: ImageCheck }> {
    if (bytes.length <= inlineBytesMax)
      return { artifact: describeArtifact(bytes), check: checkImage(bytes, rules) };
    const { artifact, check } = await this.#ask({ bytes, rules });
    if (check === null) throw new Error("an image was hashed and not checked");
    return { artifact, check };
  }

  async describe(bytes: Uint8Array): Promise<StoredArtifact> {
    if (bytes.length <= inlineBytesMax) return describeArtifact(bytes);
    return (await this.#ask({ bytes, rules: null })).artifact;
  }

  close(): Promise<void> {
    return this.#thread.close();
  }

  #ask(question: ImageQuestion): Promise<ImageAnswer> {
    return this.#turns.run(() => this.#thread.ask(question));
  }
}
