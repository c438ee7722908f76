import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import type { Admission, Waiter } from "../../admission/admission.ts";
import type { Files } from "./stored-file.ts";

/** What goes out at once: with the least that a download is given, every two seconds. */
const partBytesMax = 16 * 1024;

/** The files as one device gets them: what goes out waits for its time, and is counted. */
export function pacedFiles<Device extends Waiter>(
  files: Files,
  admission: Admission<Device>,
  device: Device,
): Files {
  let fileBytes = 0;
  return {
    mustHave(sha256, bytes) {
      fileBytes = bytes;
      return files.mustHave(sha256, bytes);
    },
    read(sha256, range) {
      const parts = async function* (): AsyncGenerator<Buffer> {
        for await (const chunk of files.read(sha256, range)) {
          const bytes = chunk as Buffer;
          for (let from = 0; from < bytes.length; from += partBytesMax) {
            const part = bytes.subarray(from, from + partBytesMax);
            const waitMs = admission.send(device, part.length);
            if (waitMs > 0) await pause(waitMs);
            yield part;
          }
        }
        if (range.last === fileBytes - 1) admission.endDownload(device, "the file");
      };
      return Readable.from(parts());
    },
  };
}
