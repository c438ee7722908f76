export { default } from "mc/devicetree";
