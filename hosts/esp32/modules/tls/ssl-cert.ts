/**
 * For the SDK's session, which makes one and gets `FlightCertificates` in its place before it asks
 * it anything.
 */
export default class CertificateManager {}
