import { randomBytes } from "node:crypto";
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Writes a whole file so that a crash, a full disk or a power cut leaves the old content or the new
 * one: into a file beside it, which then takes its name. Keeps the access rights of the file that
 * was there, else gives it `mode`. Pipes and devices such as /dev/stdout are written to as they
 * are.
 */
export function replaceFile(path: string, content: Uint8Array | string, mode = 0o666): void {
  const before = statSync(path, { throwIfNoEntry: false });
  if (before !== undefined && !before.isFile() && !before.isDirectory()) {
    writeFileSync(path, content);
    return;
  }
  const target = before === undefined ? path : realpathSync(path); // a link stays a link
  const temporary =
    before === undefined
      ? writeBeside(target, content, mode, false)
      : writeBeside(target, content, before.mode & 0o777, true);
  try {
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(target));
}

/**
 * The same for a file of a server's own, without holding the thread while the disk is waited for.
 */
export async function replaceFileMeanwhile(path: string, content: Uint8Array): Promise<void> {
  const temporary = nameBeside(path);
  try {
    await whileOpen(await open(temporary, "wx"), async (file) => {
      await file.writeFile(content);
      await file.sync();
    });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await whileOpen(await open(dirname(path), "r"), async (folder) => {
    await folder.sync().catch(passOverUnable);
  });
}

async function whileOpen(
  file: FileHandle,
  work: (file: FileHandle) => Promise<void>,
): Promise<void> {
  try {
    await work(file);
  } finally {
    await file.close();
  }
}

/** The same for a file that must not be there yet: throws EEXIST when it is. */
export function createFile(path: string, content: Uint8Array | string, mode = 0o666): void {
  const temporary = writeBeside(path, content, mode, false);
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (!hasNoLinks(error)) throw error;
    writeFileSync(path, content, { flag: "wx", mode, flush: true });
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(dirname(path));
}

/** FAT and some file systems of networks cannot give a file a second name. */
function hasNoLinks(error: unknown): boolean {
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );
}

/** Answers the path of the file beside, which is on the disk. */
function writeBeside(
  path: string,
  content: Uint8Array | string,
  mode: number,
  keepsMode: boolean,
): string {
  const temporary = nameBeside(path);
  const file = openSync(temporary, "wx", mode);
  try {
    if (keepsMode) fchmodSync(file, mode); // whatever the umask takes away
    writeFileSync(file, content);
    fsyncSync(file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  return temporary;
}

function nameBeside(path: string): string {
  const name = `.${basename(path)}.${process.pid}-${randomBytes(4).toString("hex")}.part`;
  return join(dirname(path), name);
}

/** Syncs the folder, so that the name, too, is on the disk before anybody is told. */
function syncFolder(folder: string): void {
  const opened = openSync(folder, "r");
  try {
    fsyncSync(opened);
  } catch (error) {
    passOverUnable(error);
  } finally {
    closeSync(opened);
  }
}

/** Some file systems cannot sync folders; the file itself is on the disk. */
function passOverUnable(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
}
