import { decode, type TagDecoder } from "cborg";

/**
 * Reads CBOR (RFC 8949) as if it were the JSON of the same names: a tag says more of a value than
 * anybody here asks, so the value stands for itself, and a member whose name is no text is one that
 * nobody knows. Throws for what is no CBOR, or has text in chunks (3.2.3).
 */
export function readCbor(bytes: Uint8Array): unknown {
  return withObjects(decode(bytes, { useMaps: true, tags: everyTag }));
}

const value: TagDecoder = (content) => content();
const everyTag = new Proxy<TagDecoder[]>([], { get: () => value });

function withObjects(read: unknown): unknown {
  if (Array.isArray(read)) return read.map(withObjects);
  if (!(read instanceof Map)) return read;
  const named = [...read].filter(([name]) => typeof name === "string");
  return Object.fromEntries(named.map(([name, member]) => [name, withObjects(member)]));
}
