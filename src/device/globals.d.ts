// The globals beyond ECMAScript that a Moddable application has through its manifest.
declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
}
declare class TextDecoder {
  decode(bytes?: Uint8Array | ArrayBuffer): string;
}
/** One line on the console of the board or the simulator. */
declare function trace(...texts: unknown[]): void;
