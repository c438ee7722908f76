// The module has a name of its own, so that what it imports is found beside it.
export { default } from "sluice-simulator/hosts/moddable/key-value";
