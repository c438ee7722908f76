import { type TransformResult, transform } from "esbuild";

/** A name of one or two characters may be that of a local variable. */
const nameCharactersMin = 4;

/**
 * Gives the variables of a module names that it has already, those of properties: each name that XS
 * knows is a slot, a text and an entry of a table. Takes what esbuild printed after it shortened
 * all names, and merges statements.
 */
export async function reuseNames(printed: string): Promise<string> {
  const declaration = /^((?:const|let) )([\w$]+)(?= = )/gm;
  const exported = new Set(
    [...printed.matchAll(/^ {2}([\w$]+)(?: as [\w$]+)?,?$/gm)].map(([, name]) => name),
  );
  const free = freeNames(printed);
  const renamed: Record<string, string> = {};
  const code = printed.replace(declaration, (whole, keyword: string, name: string) => {
    const reused = exported.has(name) ? undefined : free.pop();
    if (reused === undefined) return whole;
    renamed[name] = reused;
    return `${keyword}${reused}`;
  });
  return (await merged(code, renamed)).code;
}

/** esbuild puts the new names where the old ones have no declaration any more. */
function merged(code: string, define: Record<string, string>): Promise<TransformResult> {
  const names = { define, treeShaking: false, minifyIdentifiers: false };
  return transform(code, {
    ...names,
    format: "esm",
    target: "es2023",
    minifySyntax: true,
    legalComments: "none",
    logLevel: "silent",
  });
}

/**
 * Names of properties in the program which are not names of anything else. None of the language's
 * own: XS keeps the code behind every name of those that a program has.
 */
function freeNames(code: string): string[] {
  const inProgram = [...code.matchAll(/\.([A-Za-z][\w$]*)\b/g)].map(([, name = ""]) => name);
  const names = new Set(inProgram.reverse());
  return [...names].filter(
    (name) => name.length >= nameCharactersMin && !taken.has(name) && /^[a-z]/.test(name),
  );
}

const taken: ReadonlySet<string> = new Set(
  `arguments async await break case catch class const continue debugger default delete else enum eval export extends
  false finally function implements import instanceof interface native null package private protected public return
  static super switch this throw trace true typeof undefined void while with yield`
    .split(/\s+/)
    .concat(Object.getOwnPropertyNames(globalThis)),
);
