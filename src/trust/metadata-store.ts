/**
 * Trusted metadata, byte for byte as it came, by the name of its role. Each write is atomic: a power
 * cut leaves the old file or the new one. What is read is verified again.
 */
export interface MetadataStore {
  /** Null when there is none, or when it is damaged. */
  read(roleName: string): Uint8Array | null;
  /** Throws `StorageError`; the old file then stands. */
  write(roleName: string, bytes: Uint8Array): void;
  delete(roleName: string): void;
}

/** A document of any size up to a bound: `DocumentStore` of src/config is one. */
export interface StoredDocument {
  read(): Uint8Array | null;
  write(document: Uint8Array): void;
  delete(): void;
}

/** The names of the documents, short enough for any key-value storage. */
export const trustDocuments = {
  root: "tuf.root",
  timestamp: "tuf.timestamp",
  snapshot: "tuf.snapshot",
  targets: "tuf.targets",
  /** The role of the device's own hardware id. */
  releases: "tuf.releases",
} as const;

export type TrustDocument = keyof typeof trustDocuments;

/**
 * What a device keeps: the four top-level roles and the role of its own hardware id. Others are
 * fetched when they are asked for, and forgotten.
 */
export function deviceMetadataStore(
  hardware: string,
  open: (document: TrustDocument) => StoredDocument,
): MetadataStore {
  const documentOf = (roleName: string): StoredDocument | null => {
    if (roleName === hardware) return open("releases");
    const isTop = roleName !== "releases" && Object.hasOwn(trustDocuments, roleName);
    return isTop ? open(roleName as TrustDocument) : null;
  };
  return {
    read: (roleName) => documentOf(roleName)?.read() ?? null,
    write: (roleName, bytes) => documentOf(roleName)?.write(bytes),
    delete: (roleName) => documentOf(roleName)?.delete(),
  };
}
