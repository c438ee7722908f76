import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

export interface Source {
  /** The path from the root of the project. */
  readonly path: string;
  readonly text: string;
}

/** A TypeScript file that is no declaration of foreign modules. */
const ownTypeScript = /(?<!\.d)\.tsx?$/;

/**
 * Every file of a folder whose name matches; all TypeScript but declarations when none is given.
 */
export function* sources(folder: string, names = ownTypeScript): Generator<Source> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path, names);
    else if (names.test(entry.name)) yield { path, text: readFileSync(join(root, path), "utf8") };
  }
}

/** What a file imports: paths from the root for relative imports, else bare specifiers. */
export function importsOf({ path, text }: Source): string[] {
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"\n]+)"/g)].map(
    (match) => match[1] ?? "",
  );
  return specifiers.map((specifier) =>
    specifier.startsWith(".") ? relative(root, resolve(root, dirname(path), specifier)) : specifier,
  );
}
