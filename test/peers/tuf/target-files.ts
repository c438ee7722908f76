import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Http } from "../../../src/ports/http.ts";
import { escapedName, targetAddress } from "../../../src/trust/addresses.ts";
import { targetFileCheck } from "../../../src/trust/file-check.ts";
import { accepted, type Refused, refused, type Verdict } from "../../../src/trust/refusal.ts";
import type { TrustCrypto } from "../../../src/trust/trust-crypto.ts";
import type { FoundTarget } from "../../../src/trust/updater.ts";

export interface TargetFilesOptions {
  readonly http: Http;
  readonly crypto: TrustCrypto;
  /** Ends with "/". */
  readonly baseUrl: string;
  readonly folder: string;
  readonly timeoutMs: number;
}

/**
 * Targets that were found in trusted metadata, as files in one folder under their escaped names.
 */
export class TargetFiles {
  readonly #options: TargetFilesOptions;

  constructor(options: TargetFilesOptions) {
    this.#options = options;
  }

  /** 5.7.3: the file that stands there already, if it is the one, or a download; its path. */
  async fetch(target: FoundTarget, consistentSnapshot: boolean): Promise<Verdict<string>> {
    const { folder, baseUrl } = this.#options;
    const address = targetAddress(target.name, target.file.hashes, consistentSnapshot);
    if (!address.ok) return address;
    const path = join(folder, escapedName(target.name));
    if (this.#stands(path, target)) return accepted(path);
    mkdirSync(folder, { recursive: true });
    const part = `${path}.part`;
    const failure = await this.#download(`${baseUrl}${address.value}`, part, target);
    if (failure === null) renameSync(part, path);
    else rmSync(part, { force: true });
    return failure ?? accepted(path);
  }

  #stands(path: string, target: FoundTarget): boolean {
    try {
      return targetFileCheck(target.file, this.#options.crypto).whole(readFileSync(path)) === null;
    } catch {
      return false; // no file, or none that can be read: it is fetched
    }
  }

  #download(url: string, part: string, target: FoundTarget): Promise<Refused | null> {
    const { http, crypto, timeoutMs } = this.#options;
    const check = targetFileCheck(target.file, crypto);
    const request = { method: "GET", url, headers: {}, body: null, timeoutMs } as const;
    const file = openSync(part, "w");
    return new Promise<Refused | null>((resolve) => {
      let status = 0;
      http.send(
        { ...request, bodyBytesMax: check.bytesMax },
        {
          head(head) {
            status = head.status;
            return status === 200;
          },
          body(bytes) {
            check.update(bytes);
            writeSync(file, bytes);
            return true;
          },
          done: () => resolve(check.end()),
          failed: (failure) => resolve(refusal(status, failure, target.name)),
        },
      );
    }).finally(() => {
      check.close();
      closeSync(file);
    });
  }
}

function refusal(status: number, failure: string, name: string): Refused {
  if (status !== 0 && status !== 200)
    return refused(
      status === 404 ? "metadata-missing" : "server-error",
      `the server answered ${status} for ${name}`,
    );
  const reason = failure === "body-too-large" ? "too-large" : "network";
  return refused(reason, `the transfer of ${name} ended with ${failure}`);
}
