import { type FlashArea, FlashError } from "../ports/flash.ts";

/** What an open partition of ECMA-419 flash offers. */
export interface UpdatePartition {
  eraseBlock(start: number, end?: number): void;
  read(buffer: Uint8Array, byteOffset: number): number;
  write(buffer: Uint8Array, byteOffset: number): void;
  status(): { size: number; blockLength: number; writeAlign: number };
}

/**
 * The port of a partition that a caller of ECMA-419's Update opened; failures of its driver become
 * `FlashError`. Throws SyntaxError for what is no open partition, Error for one that is read only.
 */
export function partitionArea(partition: UpdatePartition): FlashArea {
  const { size, blockLength, writeAlign } = statusOf(partition);
  try {
    partition.write(new Uint8Array(0), 0); // ECMA-419 has no way to ask; no bytes change nothing
  } catch {
    throw new Error("the partition cannot be written: open it with the mode r+");
  }
  return {
    sizeBytes: size,
    sectorBytes: blockLength,
    writeBlockBytes: writeAlign,
    read: (offsetBytes, into) => attempt("read", () => partition.read(into, offsetBytes)),
    write: (offsetBytes, bytes) => attempt("write", () => partition.write(bytes, offsetBytes)),
    erase(offsetBytes, lengthBytes) {
      const first = offsetBytes / blockLength;
      attempt("erase", () => partition.eraseBlock(first, first + lengthBytes / blockLength));
    },
  };
}

function statusOf(partition: UpdatePartition): ReturnType<UpdatePartition["status"]> {
  try {
    return partition.status();
  } catch {
    throw new SyntaxError("the partition is no flash, or was closed");
  }
}

function attempt(operation: string, run: () => unknown): void {
  try {
    run();
  } catch (error) {
    throw new FlashError(`${operation}: ${String(error)}`);
  }
}
