import { type TransformResult, transform } from "esbuild";
import { reuseNames } from "./reuse-names.ts";

/**
 * Makes a module that esbuild bundled and printed smaller for XS. Numbers and short strings go
 * where they are used, because each variable is a slot in every function that uses it. What is
 * never assigned becomes constant again, so that it is not copied to RAM. Functions become arrow
 * functions, which have no prototype object.
 */
export async function compactProgram(bundled: string): Promise<string> {
  const { code, values } = withoutValues(withConstants(bundled));
  const program = withArrows(code);
  const { warnings } = await shortened(program, values);
  const assigned = new Set<number>();
  for (const { id, notes } of warnings)
    if (id === "assign-to-constant" && notes[0]?.location != null)
      assigned.add(notes[0].location.line);
  return reuseNames((await shortened(withVariables(program, assigned), values)).code);
}

function shortened(code: string, define: Record<string, string>): Promise<TransformResult> {
  return transform(code, {
    format: "esm",
    target: "es2023",
    define,
    minifyIdentifiers: true,
    treeShaking: true,
    legalComments: "none",
    logLevel: "silent",
    logLimit: 0,
    logOverride: { "assign-to-constant": "warning" },
  });
}

/** A variable and its key cost more than this string wherever it is used. */
const stringCharactersMax = 20;

/**
 * Without the constants that have plain values; esbuild puts a value where its name has no
 * declaration.
 */
function withoutValues(text: string): { code: string; values: Record<string, string> } {
  const values: Record<string, string> = {};
  const exported = new Set(
    [...text.matchAll(/^ {2}([\w$]+)(?: as [\w$]+)?,?$/gm)].map(([, name]) => name),
  );
  const code = text.replace(/^const ([\w$]+) = (.*);\n/gm, (line, name: string, from: string) => {
    const value = literalOf(from, values);
    if (value === null || exported.has(name)) return line;
    values[name] = value;
    return "";
  });
  return { code, values };
}

/**
 * Reads a text as a literal: a short string, true, false, or a number, also where it is calculated.
 * Null for anything else.
 */
function literalOf(text: string, known: Readonly<Record<string, string>>): string | null {
  if (/^"[^"\\]*"$/.test(text)) return text.length - 2 <= stringCharactersMax ? text : null;
  if (/^(?:true|false)$/.test(text)) return text;
  const sum = text.split(/ ([+-]) /);
  let total = 0;
  for (let at = 0; at < sum.length; at += 2) {
    const product = productOf(sum[at] ?? "", known);
    if (product === null) return null;
    total += sum[at - 1] === "-" ? -product : product;
  }
  return String(total);
}

function productOf(text: string, known: Readonly<Record<string, string>>): number | null {
  let product = 1;
  for (const factor of text.split(" * ")) {
    const literal = known[factor] ?? factor;
    if (!/^-?(?:0x[\da-f]+|\d[\d_]*(?:\.\d+)?(?:e\d+)?)$/i.test(literal)) return null;
    product *= Number(literal.replaceAll("_", ""));
  }
  return product;
}

/** esbuild declares the constants of modules with `var`. */
function withConstants(code: string): string {
  return code.replace(/^var (?=[\w$]+ = )/gm, "const ");
}

function withVariables(code: string, lines: ReadonlySet<number>): string {
  const changed = code
    .split("\n")
    .map((line, at) => (lines.has(at + 1) ? line.replace(/^const /, "let ") : line));
  return changed.join("\n");
}

/**
 * Functions of the module that are only called, as arrow functions before everything else: there
 * they are as early as functions are. The printed form has each begin and end in the first column.
 */
function withArrows(code: string): string {
  const constructed = new Set(
    [...code.matchAll(/\b(?:new|extends|instanceof) ([\w$]+)|\b([\w$]+)\.prototype\b/g)].map(
      ([, one, other]) => one ?? other,
    ),
  );
  const arrows: string[] = [];
  const rest = code.replace(printedFunction, (whole, async: string, name: string, from: string) => {
    if (constructed.has(name) || needsFunction.test(whole)) return whole;
    const parameters = from.slice(0, endOfParameters(from));
    arrows.push(
      `const ${name} = ${async ?? ""}${parameters} =>${from.slice(parameters.length)};\n`,
    );
    return "";
  });
  const body = rest.search(/^(?!import |\/\/)/m);
  return `${rest.slice(0, body)}${arrows.join("")}${rest.slice(body)}`;
}

const printedFunction = /^(async )?function ([\w$]+)(\((?:[^\n]*\{\}|[\s\S]*?\n\}))$\n/gm;
const needsFunction = /\b(?:this|arguments|super|native)\b|\bnew\.target\b/;

function endOfParameters(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if ("([{".includes(text[at] ?? "")) depth++;
    if (")]}".includes(text[at] ?? "") && --depth === 0) return at + 1;
  }
  throw new Error(`no end of parameters in ${text.slice(0, 80)}`);
}
