/** A fault of what the server stands on, as a client and an operator are told of it. */
export interface Fault {
  readonly status: 503 | 507;
  /** One word of a closed set. */
  readonly reason: FaultReason;
  /** What it is and the next step. */
  readonly message: string;
  readonly retryAfterSeconds: number;
}

export type FaultReason =
  | "busy"
  | "database-locked"
  | "database-damaged"
  | "disk-full"
  | "storage-failing"
  | "artifact-missing"
  | "signer-failing"
  | "scan-ended";

/** The server has as much to do as it may take on; whoever asks later is served. */
export class TooBusyError extends Error {
  override readonly name = "TooBusyError";
}

/** The disk did not say that it has what was committed: this process writes nothing more. */
export class UnsyncedError extends Error {
  override readonly name = "UnsyncedError";
}

/** A published file is not where it was put. */
export class ArtifactMissingError extends Error {
  override readonly name = "ArtifactMissingError";
}

/** A fault that was told by whoever met it, such as another thread. */
export class FaultError extends Error {
  override readonly name = "FaultError";
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const sqlite = {
  perm: 3,
  busy: 5,
  locked: 6,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  notadb: 26,
} as const;

/** What an error says of disks, files, databases and signers; null for a defect of ours. */
export function faultOf(error: unknown): Fault | null {
  if (!(error instanceof Error)) return null;
  if (error instanceof FaultError) return error.fault;
  if (error.name === "TooBusyError") return fault(503, "busy", error.message, 5);
  if (error.name === "UnsyncedError") return fault(503, "storage-failing", unsynced(error), 300);
  if (error.name === "SignerError") return fault(503, "signer-failing", error.message, 10);
  if (error.name === "AuditLogError") return fault(503, "storage-failing", error.message, 30);
  if (error.name === "ArtifactMissingError")
    return fault(503, "artifact-missing", error.message, 60);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_SQLITE_ERROR") return faultOfSqlite(error as SqliteError);
  return code === undefined ? null : faultOfFile(code, error);
}

function unsynced({ message }: Error): string {
  return `the disk did not take a change (${message}), and nothing more is written: check the disk, then start the server again`;
}

/** Another connection holds the lock that is needed. */
export function isLocked(error: unknown): boolean {
  return faultOf(error)?.reason === "database-locked";
}

interface SqliteError extends Error {
  /** The extended result code; its lowest byte is the primary one. */
  readonly errcode?: number;
}

function faultOfSqlite(error: SqliteError): Fault | null {
  switch ((error.errcode ?? 0) & 0xff) {
    case sqlite.busy:
    case sqlite.locked:
      return fault(
        503,
        "database-locked",
        "another program holds the lock of the database; end it, or use the .backup of sqlite3 for backups",
        5,
      );
    case sqlite.full:
      return fault(507, "disk-full", "the disk of the database is full; make room on it", 30);
    case sqlite.readonly:
    case sqlite.perm:
    case sqlite.cantopen:
    case sqlite.ioerr:
      return fault(
        503,
        "storage-failing",
        `the database cannot be written or read (${error.message}); check its disk and access rights`,
        30,
      );
    case sqlite.corrupt:
    case sqlite.notadb:
      return fault(
        503,
        "database-damaged",
        `the database is damaged (${error.message}); restore a backup`,
        300,
      );
    default:
      return null;
  }
}

function faultOfFile(code: string, error: NodeJS.ErrnoException): Fault | null {
  if (code === "ENOSPC" || code === "EDQUOT")
    return fault(507, "disk-full", `the disk is full (${code}); make room on it`, 30);
  const meaning = fileMeanings.get(code);
  if (meaning === undefined) return null;
  const what = error.path ?? `a file (${error.message})`;
  return fault(503, "storage-failing", `cannot use ${what}: ${meaning}`, 30);
}

const noRight = "the server has no right to it; check its owner and mode";

/** What the system's codes mean, and the next step. */
const fileMeanings: ReadonlyMap<string, string> = new Map([
  ["EROFS", "its file system is read-only; mount it so that it can be written"],
  ["EACCES", noRight],
  ["EPERM", noRight],
  ["EIO", "the disk reports an error; check the disk"],
  ["EFBIG", "it would be larger than its file system or the limit of the process takes"],
  ["EMFILE", 'too many files are open; raise the limit ("ulimit -n")'],
  ["ENFILE", "the machine has too many files open; end other programs"],
  ["ENOTDIR", "a part of its path is a file; move that away"],
  ["EEXIST", "something else is in its place; move that away"],
  ["EISDIR", "a folder is in its place; move that away"],
  ["ENOENT", "it is not there; check its disk is mounted, or restore it"],
  ["ESTALE", "its network file system is gone; mount it again"],
]);

function fault(
  status: Fault["status"],
  reason: FaultReason,
  message: string,
  retryAfterSeconds: number,
): Fault {
  return { status, reason, message, retryAfterSeconds };
}
