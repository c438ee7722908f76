/** In place of RSA and DSA, which `ServerFlight` refuses before the SDK's session comes to them. */
export default class NoSignature {
  constructor() {
    throw new Error("signatures are ECDSA on P-256");
  }
}
