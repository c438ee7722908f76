/**
 * How sure a share is that was seen in a sample: Wilson's score interval (E. B. Wilson, "Probable
 * inference, the law of succession, and statistical inference", JASA 22, 1927).
 */

/**
 * The share, from 0 to 1, that the true one is not below with this one-sided `confidence`, when
 * `bad` of `sample` were bad; 0 of an empty sample.
 */
export function wilsonLowerBound(bad: number, sample: number, confidence: number): number {
  if (sample <= 0 || bad <= 0) return 0;
  const z = normalQuantile(confidence);
  const share = bad / sample;
  const center = share + (z * z) / (2 * sample);
  const spread = z * Math.sqrt((share * (1 - share)) / sample + (z * z) / (4 * sample * sample));
  return Math.max(0, (center - spread) / (1 + (z * z) / sample));
}

/** A single bad device says nothing of those that come after it. */
const badMin = 2;

/** Whether the sample shows, with this confidence, that the share of the bad is over the limit. */
export function isOver(bad: number, sample: number, limit: number, confidence: number): boolean {
  return bad >= badMin && wilsonLowerBound(bad, sample, confidence) > limit;
}

const quantiles = new Map<number, number>();
const quantilesKeptMax = 64;

/** The z of which a standard normal value stays below with this probability, 0.5 to 0.9999. */
export function normalQuantile(probability: number): number {
  const known = quantiles.get(probability);
  if (known !== undefined) return known;
  let [low, high] = [0, 5];
  // Each step halves the interval: 60 leave less than a double can tell.
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < probability) low = middle;
    else high = middle;
  }
  if (quantiles.size >= quantilesKeptMax) quantiles.clear();
  quantiles.set(probability, high);
  return high;
}

/**
 * The probability that a standard normal value is below `z`, for 0 to 5: by the series around 0
 * (G. Marsaglia, "Evaluating the normal distribution", Journal of Statistical Software 11, 2004).
 */
export function normalShare(z: number): number {
  let [term, sum] = [z, z];
  for (let step = 3; step < 200 && term > sum * 1e-17; step += 2) {
    term *= (z * z) / step;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}
