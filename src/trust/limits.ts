/**
 * What a client takes at most, in bytes and in counts: a server, or whoever plays one, must not be
 * able to fill a device's memory or keep it busy for ever.
 */
export interface TrustLimits {
  /** The most bytes of one root file: W of clause 5.3.3. */
  readonly rootBytesMax: number;
  /** Root files in one refresh: Y of clause 5.3.3. */
  readonly rootStepsMax: number;
  /** X of clause 5.4.1. */
  readonly timestampBytesMax: number;
  /**
   * The most bytes of a snapshot whose length is not listed, clause 5.5.1; no listed length may be
   * larger.
   */
  readonly snapshotBytesMax: number;
  /**
   * The most bytes of one targets role whose length is not listed, clause 5.6.1; no listed length
   * may be larger.
   */
  readonly targetsBytesMax: number;
  /** Roles that one search may visit, clause 5.6.7.1. */
  readonly visitedRolesMax: number;
  readonly jsonDepthMax: number;
  /** Members and elements of one file together. */
  readonly jsonNodesMax: number;
  readonly signaturesMax: number;
  /** Keys of a root or of a role's delegations. */
  readonly keysMax: number;
  /** Files that a snapshot lists. */
  readonly metaFilesMax: number;
  readonly delegationsMax: number;
  /** Patterns or hash prefixes of one delegation. */
  readonly patternsMax: number;
  readonly targetsMax: number;
}

/** A chip with about 100 KiB for everything: one delegated role per hardware id fits easily. */
export const deviceLimits: TrustLimits = {
  rootBytesMax: 8 * 1024,
  rootStepsMax: 256,
  timestampBytesMax: 2 * 1024,
  snapshotBytesMax: 4 * 1024,
  targetsBytesMax: 8 * 1024,
  visitedRolesMax: 4,
  jsonDepthMax: 12,
  jsonNodesMax: 1024,
  signaturesMax: 16,
  keysMax: 32,
  metaFilesMax: 64,
  delegationsMax: 32,
  patternsMax: 8,
  targetsMax: 32,
};

/** What the specification and its other clients allow. */
export const hostLimits: TrustLimits = {
  rootBytesMax: 512_000,
  rootStepsMax: 256,
  timestampBytesMax: 16 * 1024,
  snapshotBytesMax: 2_000_000,
  targetsBytesMax: 5_000_000,
  visitedRolesMax: 32,
  jsonDepthMax: 64,
  jsonNodesMax: 1_000_000,
  signaturesMax: 1024,
  keysMax: 1024,
  metaFilesMax: 65_536,
  delegationsMax: 65_536,
  patternsMax: 65_536,
  targetsMax: 100_000,
};
