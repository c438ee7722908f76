/** Where somebody stands in a line. The line alone changes it. */
export interface Place<Waiter> {
  readonly waiter: Waiter;
  index: number;
  /** Whoever is behind has it ahead. */
  isCounted: boolean;
}

const capacityMin = 64;

/**
 * A line in the order of arrival that tells at once how many are ahead. Only who is counted holds
 * up those behind: who waits for something else meanwhile, or does not come when called, is passed
 * over and keeps its place. Holds one small object for each waiter.
 */
export class Line<Waiter> {
  #places: (Place<Waiter> | null)[] = [];
  /** A Fenwick tree over the counted places. */
  #tree = new Int32Array(capacityMin + 1);
  #counted = 0;
  #kept = 0;

  /** How many are counted. */
  get length(): number {
    return this.#counted;
  }

  /** A place behind all others, which is not counted yet. */
  join(waiter: Waiter): Place<Waiter> {
    if (this.#places.length === this.#tree.length - 1) this.#closeRanks();
    const place = { waiter, index: this.#places.length, isCounted: false };
    this.#places.push(place);
    this.#kept += 1;
    return place;
  }

  leave(place: Place<Waiter>): void {
    this.passOver(place);
    this.#places[place.index] = null;
    this.#kept -= 1;
  }

  passOver(place: Place<Waiter>): void {
    if (!place.isCounted) return;
    place.isCounted = false;
    this.#add(place.index, -1);
  }

  count(place: Place<Waiter>): void {
    if (place.isCounted) return;
    place.isCounted = true;
    this.#add(place.index, 1);
  }

  ahead(place: Place<Waiter>): number {
    let sum = 0;
    for (let node = place.index; node > 0; node -= node & -node) sum += this.#tree[node] ?? 0;
    return sum;
  }

  /** Who has waited longest of those that count, or null. */
  first(): Waiter | null {
    if (this.#counted === 0) return null;
    let before = 0;
    let step = 2 ** Math.floor(Math.log2(this.#tree.length - 1));
    for (; step >= 1; step /= 2) {
      const node = before + step;
      if (node < this.#tree.length && this.#tree[node] === 0) before = node;
    }
    return this.#places[before]?.waiter ?? null;
  }

  /** Node `index + 1` of the tree stands for the place. */
  #add(index: number, by: 1 | -1): void {
    this.#counted += by;
    for (let node = index + 1; node < this.#tree.length; node += node & -node)
      this.#tree[node] = (this.#tree[node] ?? 0) + by;
  }

  /** Empty places go; the tree has room for as many again as wait. */
  #closeRanks(): void {
    const kept = this.#places.filter((place) => place !== null);
    this.#places = kept;
    this.#tree = new Int32Array(Math.max(capacityMin, 2 * this.#kept) + 1);
    this.#counted = 0;
    for (const [index, place] of kept.entries()) {
      place.index = index;
      if (place.isCounted) this.#add(index, 1);
    }
  }
}
