import { FileHeldError } from "../../files/file-lock.ts";
import { AuditLogError } from "../../release/keys/audit-end.ts";
import { CommandError, exitCodes } from "./exit.ts";

/**
 * What the machine, its disk or its network refused, as an expected failure with the next step; any
 * other error as it is, which makes it a defect of ours. `doing` is such as "cannot write x.bin";
 * without it the error's own operation and path are named.
 */
export function environmentError(error: unknown, doing?: string): unknown {
  if (error instanceof CommandError) return error;
  if (error instanceof FileHeldError) return new CommandError(error.message);
  if (error instanceof AuditLogError) return new CommandError(error.message, exitCodes.input);
  if (!(error instanceof Error)) return error;
  const said = meaningOf(error);
  if (said === null)
    return error.cause instanceof Error && isWrapper(error)
      ? asItWas(environmentError(error.cause, doing), error)
      : error;
  const what = doing ?? operationOf(error as NodeJS.ErrnoException);
  return new CommandError(`${what}: ${said.text}`, said.exitCode);
}

/** The next step for an error of the file system, or what the system says. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return meaningOf(error)?.text ?? error.message;
}

interface Meaning {
  readonly text: string;
  readonly exitCode: number;
}

/** Node's `fetch` says nothing itself and names the fault as its cause. */
function isWrapper(error: Error): boolean {
  return error instanceof TypeError && error.message === "fetch failed";
}

function asItWas(mapped: unknown, error: Error): unknown {
  return mapped instanceof CommandError ? mapped : error;
}

function meaningOf(error: Error): Meaning | null {
  const { code, syscall = "" } = error as NodeJS.ErrnoException;
  if (code === "ERR_SQLITE_ERROR") return sqliteMeaning(error);
  if (code === "EACCES" && syscall === "listen")
    return { text: "ports below 1024 need more rights; give another --port", exitCode: 69 };
  const file = fileMeanings[code ?? ""];
  if (file !== undefined) return { text: file, exitCode: exitCodes.input };
  const network = networkMeanings[code ?? ""];
  return network === undefined ? null : { text: network, exitCode: exitCodes.server };
}

const fileMeanings: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder; check the path",
  EACCES: "no permission; check the rights of the file and its folder",
  EPERM: "it is not permitted; check whose it is and its rights",
  EROFS: "the file system is read-only; choose a place that can be written",
  EEXIST: "it exists and is not overwritten; choose another name or move it away",
  EISDIR: "it is a folder, a file is needed",
  ENOTDIR: "a part of the path is a file, a folder is needed",
  ENOTEMPTY: "the folder is not empty; choose another one",
  ENOSPC: "the disk is full; make room and try again",
  EDQUOT: "the disk quota is used up; make room and try again",
  EFBIG: "it is larger than this file system or the limit of the process takes",
  EMFILE: 'too many files are open; raise the limit ("ulimit -n") and try again',
  ENFILE: "the machine has too many files open; end other programs and try again",
  ELOOP: "its symbolic links go in a circle; check the path",
  ENAMETOOLONG: "its name is too long; choose a shorter one",
  ENXIO: "no program is at the other end; check the path",
  EBUSY: "it is in use or mounted; choose another path",
  ETXTBSY: "it is a program that runs; end it or choose another path",
  EXDEV: "it lies on two file systems; choose another path",
  EIO: "the disk reports an error; check it, and choose another one",
  ENODEV: "there is no such device; check the path",
  EAGAIN: "the machine is out of processes or memory; try again",
  ENOMEM: "the machine is out of memory; end other programs and try again",
  ERR_FS_FILE_TOO_LARGE: "it has more than 2 GiB; check the path",
  ERR_STRING_TOO_LONG: "it has more than 512 MiB; check the path",
  ERR_INVALID_ARG_VALUE: "the path holds a zero byte; check it",
};

const networkMeanings: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such host; check its name",
  EAI_AGAIN: "its name cannot be looked up now; check the network and the name server",
  EAI_FAIL: "its name cannot be looked up; check the network and the name server",
  ECONNREFUSED: "nothing listens there; check its port",
  ECONNRESET: "the other side ended the connection; try again",
  ECONNABORTED: "the connection was ended; try again",
  EHOSTUNREACH: "no way leads to that host; check the network",
  ENETUNREACH: "no way leads to that network; check the network",
  ETIMEDOUT: "no answer in time; check the network",
  EADDRINUSE: "another program uses the port; end it, or give another --port",
  EADDRNOTAVAIL: "this machine does not have that address; check --host",
  EAFNOSUPPORT: "this machine cannot use addresses of that kind; check --host",
  UND_ERR_CONNECT_TIMEOUT: "no answer in time; check the network",
  UND_ERR_HEADERS_TIMEOUT: "no answer in time; try again",
  UND_ERR_BODY_TIMEOUT: "the answer stopped in the middle; try again",
  UND_ERR_SOCKET: "the other side ended the connection; try again",
};

/** By the primary result codes of SQLite; others are ours. */
const sqliteMeanings: Readonly<Record<number, string>> = {
  5: "another process has the database; end it and try again",
  6: "another process has the database; end it and try again",
  8: "the database cannot be written; check the rights of its folder, and whether it is mounted read-only",
  10: "the disk reports an error under the database; check the disk and its file system",
  11: "the database is damaged; restore it from a backup",
  13: "the disk is full; make room and try again",
  14: "the database cannot be opened; check its folder and the rights",
  26: "the file is no database of ours; restore it from a backup, or choose another folder",
};

function sqliteMeaning(error: Error): Meaning | null {
  const { errcode = 0 } = error as { errcode?: number };
  const text = sqliteMeanings[errcode & 0xff];
  return text === undefined ? null : { text, exitCode: exitCodes.input };
}

/** "cannot open keys/keyring.json". */
function operationOf(error: NodeJS.ErrnoException & { address?: string; port?: number }): string {
  const { syscall = "", path, address, port } = error;
  if (syscall.startsWith("spawn")) return `cannot start ${path ?? syscall.slice(6)}`;
  if (syscall === "getaddrinfo")
    return `cannot find ${(error as { hostname?: string }).hostname ?? "the host"}`;
  const place = path ?? (address === undefined ? "" : `${address}:${port ?? ""}`);
  const verb = verbs[syscall] ?? syscall;
  if (verb === "" && place === "") return error.message;
  return `cannot ${verb === "" ? "use" : verb}${place === "" ? "" : ` ${place}`}`;
}

const verbs: Readonly<Record<string, string>> = {
  open: "open",
  read: "read",
  write: "write",
  mkdir: "make the folder",
  scandir: "list",
  stat: "read",
  lstat: "read",
  access: "write",
  unlink: "delete",
  rename: "replace",
  link: "create",
  rm: "delete",
  listen: "listen on",
  bind: "listen on",
  connect: "reach",
  fsync: "write",
  ftruncate: "write",
};
