import { AES, ECDHE_RSA, GCM, SHA256 } from "ssl/constants";

/** TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (RFC 5289, 3.1): `ServerFlight` takes no other. */
export default Object.freeze(
  [
    {
      value: [0xc0, 0x2b],
      isExportable: false,
      keyExchangeAlgorithm: ECDHE_RSA, // of ECDSA too, for the SDK
      cipherAlgorithm: AES,
      cipherKeySize: 16,
      cipherBlockSize: 16,
      hashAlgorithm: SHA256,
      hashSize: 32,
      encryptionMode: GCM,
      ivSize: 8,
      saltSize: 4,
    },
  ],
  // @ts-expect-error: deep, in XS
  true,
);
