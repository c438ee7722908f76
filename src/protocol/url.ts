/**
 * The longest address that a server may name: presigned ones have 700 to 1,600 characters, and no
 * proxy or store takes much longer ones.
 */
export const urlLengthMax = 2048;
