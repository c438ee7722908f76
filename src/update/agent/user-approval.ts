import { type KeyValue, StorageError } from "../../ports/board.ts";
import { type DigestHex, parseDigestHex } from "../../protocol/digest.ts";

/** The storage keeps the file that the user agreed to under it. */
const approvedKey = "approved";

/** What the user of the device agreed to: one file, until another one takes its place. */
export class UserApproval {
  readonly #keyValue: KeyValue;
  /** Read once a boot: every decision asks for it. */
  #approved: DigestHex | null | undefined;

  constructor(keyValue: KeyValue) {
    this.#keyValue = keyValue;
  }

  get approvedFile(): DigestHex | null {
    if (this.#approved === undefined) {
      const bytes = this.#keyValue.read(approvedKey);
      this.#approved = bytes === null ? null : parseDigestHex(new TextDecoder().decode(bytes));
    }
    return this.#approved;
  }

  /** False when it cannot be remembered. A power cut leaves the old answer or this one. */
  approve(fileHash: DigestHex): boolean {
    try {
      this.#keyValue.write(approvedKey, new TextEncoder().encode(fileHash));
      this.#approved = fileHash;
      return true;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return false;
    }
  }
}
