// What the modules of this folder import of the SDK, beside what the firmware does.
/// <reference path="../../src/device/sdk.d.ts" />

declare module "embedded:network/dns/resolver/udp" {
  export default class Resolver {}
}

declare module "embedded:io/socket/tcp" {
  export default class TCP {}
}

declare module "embedded:io/socket/udp" {
  export default class UDP {}
}
