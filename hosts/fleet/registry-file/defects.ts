/** What is wrong with a file of devices, and where. */
export interface ImportDefect {
  /** From 1; of a JSON array, the number of the item. */
  readonly line: number;
  /** Null for the line as a whole. */
  readonly column: string | null;
  readonly value: string | null;
  readonly rule: string;
}

/** Defects beyond this many are only counted. */
const toldMax = 100;
const valueCharactersMax = 80;

/** The first defects of a file, and how many there are. */
export class DefectList {
  readonly #told: ImportDefect[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(defect: ImportDefect): void {
    this.#count += 1;
    if (this.#told.length >= toldMax) return;
    const { value } = defect;
    this.#told.push({ ...defect, value: value?.slice(0, valueCharactersMax) ?? null });
  }

  refusal(): { ok: false; defects: readonly ImportDefect[]; count: number } {
    const defects = [...this.#told].sort((a, b) => a.line - b.line);
    return { ok: false, defects, count: this.#count };
  }
}
