/** What the boards were tried with; west.yml names the same. */
export const moddableVersion = "8.2.3";
export const bootloaderVersion = "2.3.0";
