import { deviceLimits } from "./limits.ts";

/**
 * Trusted metadata, byte for byte as it came, by the name of its role. Each write is atomic: a
 * power cut leaves the old file or the new one. What is read is verified again.
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

/** How large each may be: the caps of `deviceLimits`. */
export const trustDocumentBytesMax: Readonly<Record<TrustDocument, number>> = {
  root: deviceLimits.rootBytesMax,
  timestamp: deviceLimits.timestampBytesMax,
  snapshot: deviceLimits.snapshotBytesMax,
  targets: deviceLimits.targetsBytesMax,
  releases: deviceLimits.targetsBytesMax,
};

/**
 * What a device keeps: the four top-level roles and the role of its own hardware id. Others are
 * fetched when they are asked for, and forgotten. Each document is opened once, when it is needed.
 */
export function deviceMetadataStore(
  hardware: string,
  open: (name: string, options: { readonly bytesMax: number }) => StoredDocument,
): MetadataStore {
  const opened = new Map<TrustDocument, StoredDocument>();
  const documentOf = (roleName: string): StoredDocument | null => {
    const document = documentName(roleName, hardware);
    if (document === null) return null;
    const bytesMax = trustDocumentBytesMax[document];
    const stored = opened.get(document) ?? open(trustDocuments[document], { bytesMax });
    opened.set(document, stored);
    return stored;
  };
  return {
    read: (roleName) => documentOf(roleName)?.read() ?? null,
    write: (roleName, bytes) => documentOf(roleName)?.write(bytes),
    delete: (roleName) => documentOf(roleName)?.delete(),
  };
}

function documentName(roleName: string, hardware: string): TrustDocument | null {
  if (roleName === hardware) return "releases";
  const isTop = roleName !== "releases" && Object.hasOwn(trustDocuments, roleName);
  return isTop ? (roleName as TrustDocument) : null;
}
