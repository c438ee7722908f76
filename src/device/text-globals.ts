// Preloaded by the manifest: XS has no TextEncoder and TextDecoder of its own, the SDK has them as
// modules.
import TextDecoder from "text/decoder";
import TextEncoder from "text/encoder";

Object.assign(globalThis, { TextDecoder, TextEncoder });
