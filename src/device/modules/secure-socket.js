// The module has a name of its own, so that a host may provide another one.
export { default } from "sluice/device/secure-socket";
