/** A comparison as it was written; columns count from 1, in UTF-16 units of the text. */
export interface Comparison {
  readonly kind: "comparison";
  readonly field: string;
  readonly fieldColumn: number;
  readonly operator: string;
  readonly operatorColumn: number;
  readonly values: readonly WrittenValue[];
}

export interface WrittenValue {
  readonly text: string;
  readonly column: number;
  /** Written in quotes, where every character stands for itself. */
  readonly quoted: boolean;
}

export type Expression =
  | Comparison
  | { readonly kind: "all" | "any"; readonly of: readonly Expression[] };

/** What is wrong with a filter, and where. */
export interface FilterDefect {
  readonly message: string;
  /** From 1; one past the end where something is missing. */
  readonly column: number;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly defect: FilterDefect };

export const filterLengthMax = 4096;
const comparisonsMax = 64;
const valuesMax = 500;
const depthMax = 16;

/**
 * Reads RSQL: comparisons joined by `;` (and) and `,` (or), of which `;` binds closer, in
 * parentheses where that is not meant; `and` and `or` may be written out. Grammar: RSQL 2
 * (jirutka/rsql-parser, README), a superset of FIQL (draft-nottingham-atompub-fiql-00).
 */
export function parseExpression(text: string): Parsed<Expression> {
  if (text.length > filterLengthMax) {
    const message = `a filter has at most ${filterLengthMax} characters, this one has ${text.length}`;
    return { ok: false, defect: { message, column: filterLengthMax + 1 } };
  }
  try {
    return { ok: true, value: new Reader(text).whole() };
  } catch (error) {
    if (error instanceof Stop) return { ok: false, defect: error.defect };
    throw error;
  }
}

/** Ends the reading; never leaves this file. */
class Stop extends Error {
  readonly defect: FilterDefect;

  constructor(message: string, column: number) {
    super(message);
    this.defect = { message, column };
  }
}

const operators = /^(?:=[a-z]+=|==|!=|<=|>=|<|>)/i;
/** Characters that an unquoted value or a field cannot have. */
const reserved = /["'();,=!~<>\s]/;

class Reader {
  readonly #text: string;
  #at = 0;
  #comparisons = 0;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Expression {
    this.#skipSpace();
    if (this.#at === this.#text.length) this.#stop("a filter has at least one comparison");
    const expression = this.#any(0);
    if (this.#at < this.#text.length)
      this.#stop(
        this.#peek() === ")"
          ? "this parenthesis closes none"
          : `expected ";" (and), "," (or) or the end, not "${this.#peek()}"`,
      );
    return expression;
  }

  #any(depth: number): Expression {
    return this.#joined("any", () => this.#all(depth), ",", "or");
  }

  #all(depth: number): Expression {
    return this.#joined("all", () => this.#one(depth), ";", "and");
  }

  #joined(kind: "all" | "any", part: () => Expression, sign: string, word: string): Expression {
    const of = [part()];
    while (this.#takeSign(sign) || this.#takeWord(word)) of.push(part()); // each takes a character
    const [first] = of;
    return of.length === 1 && first !== undefined ? first : { kind, of };
  }

  #one(depth: number): Expression {
    this.#skipSpace();
    const openAt = this.#at;
    if (!this.#takeSign("(")) return this.#comparison();
    if (depth === depthMax) this.#stop(`parentheses stand at most ${depthMax} deep`, openAt);
    const inner = this.#any(depth + 1);
    if (!this.#takeSign(")")) this.#stop(`the parenthesis of column ${openAt + 1} is not closed`);
    return inner;
  }

  #comparison(): Comparison {
    this.#comparisons += 1;
    if (this.#comparisons > comparisonsMax)
      this.#stop(`a filter has at most ${comparisonsMax} comparisons`);
    const fieldAt = this.#at;
    const field = this.#unreserved();
    if (field === "") this.#stop(this.#expected("a field, such as hardware"));
    this.#skipSpace();
    const operatorAt = this.#at;
    const [operator] = operators.exec(this.#text.slice(this.#at, this.#at + 16)) ?? [];
    if (operator === undefined)
      return this.#stop(this.#expected(`an operator after ${field}, such as == or =in=`));
    this.#at += operator.length;
    const values = this.#arguments();
    return {
      kind: "comparison",
      field,
      fieldColumn: fieldAt + 1,
      operator: operator.toLowerCase(),
      operatorColumn: operatorAt + 1,
      values,
    };
  }

  #arguments(): WrittenValue[] {
    this.#skipSpace();
    const openAt = this.#at;
    if (!this.#takeSign("(")) return [this.#value()];
    const values = [this.#value()];
    while (this.#takeSign(",")) values.push(this.#value()); // each takes a character
    if (!this.#takeSign(")")) this.#stop(`the list of column ${openAt + 1} is not closed`);
    return values;
  }

  #value(): WrittenValue {
    this.#skipSpace();
    this.#values += 1;
    if (this.#values > valuesMax) this.#stop(`a filter has at most ${valuesMax} values`);
    const column = this.#at + 1;
    const mark = this.#peek();
    const quoted = mark === '"' || mark === "'";
    const text = quoted ? this.#quoted(mark) : this.#unreserved();
    if (text === "" && !quoted) this.#stop(this.#expected("a value"));
    this.#skipSpace();
    return { text, column, quoted };
  }

  #quoted(mark: string): string {
    const openAt = this.#at;
    let read = "";
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      let character = this.#peek();
      if (character === mark) {
        this.#at += 1;
        return read;
      }
      if (character === "\\") {
        this.#at += 1;
        character = this.#peek();
        if (character === "") break;
      }
      read += character;
    }
    return this.#stop(`the quote of column ${openAt + 1} is not closed`);
  }

  #unreserved(): string {
    const from = this.#at;
    while (this.#at < this.#text.length && !reserved.test(this.#peek())) this.#at += 1;
    return this.#text.slice(from, this.#at);
  }

  #takeSign(sign: string): boolean {
    this.#skipSpace();
    if (this.#peek() !== sign) return false;
    this.#at += 1;
    return true;
  }

  /** A word between two spaces, as RSQL has `and` and `or`. */
  #takeWord(word: string): boolean {
    const isAfterSpace = /[\s)]/.test(this.#text[this.#at - 1] ?? "");
    const next = this.#text.slice(this.#at, this.#at + word.length + 1).toLowerCase();
    if (!isAfterSpace || !next.startsWith(word) || !/[\s(]/.test(next.slice(word.length)))
      return false;
    this.#at += word.length;
    return true;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#peek())) this.#at += 1; // ends at the end of the text, which is no space
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #expected(what: string): string {
    const found = this.#peek();
    return found === ""
      ? `expected ${what}, and the filter ends`
      : `expected ${what}, not "${found}"`;
  }

  #stop(message: string, at = this.#at): never {
    throw new Stop(message, at + 1);
  }
}
