import {
  type FlashMiB,
  type PartitionName,
  partitionNames,
  partitionPurposes,
  partitionTable,
  type Soc,
} from "../flash/partitions.ts";

/** Names that Zephyr and MCUboot know: node label and `label` property of each partition. */
const nodes: Readonly<Record<PartitionName, { node: string; label: string }>> = {
  boot: { node: "boot_partition", label: "mcuboot" },
  sys: { node: "sys_partition", label: "sys" },
  slot0: { node: "slot0_partition", label: "image-0" },
  slot1: { node: "slot1_partition", label: "image-1" },
  slot0_lpcore: { node: "slot0_lpcore_partition", label: "image-0-lpcore" },
  slot1_lpcore: { node: "slot1_lpcore_partition", label: "image-1-lpcore" },
  storage: { node: "storage_partition", label: "storage" },
  bootctl: { node: "bootctl_partition", label: "bootctl" },
  coredump: { node: "coredump_partition", label: "coredump" },
};

export function overlayPath(choice: { soc: Soc; flashMiB: FlashMiB }): string {
  return `bootloader/partitions/${choice.soc}-${choice.flashMiB}m.overlay`;
}

/**
 * The devicetree overlay of one table. It replaces whatever table the board brings, for the
 * bootloader and for the application alike: two tables that disagree are the quickest way to lose a
 * device.
 */
export function renderOverlay(choice: { soc: Soc; flashMiB: FlashMiB }): string {
  const table = partitionTable(choice);
  const flashBytes = `0x${(choice.flashMiB * 1024 * 1024).toString(16)}`;
  const partitions = partitionNames.map((name) => {
    const { offsetBytes: offset, sizeBytes: size } = table[name];
    return [
      `\t\t/* ${partitionPurposes[name]} */`,
      `\t\t${nodes[name].node}: partition@${offset.toString(16)} {`,
      "\t\t\tSLUICE_PARTITION",
      `\t\t\tlabel = "${nodes[name].label}";`,
      `\t\t\treg = <0x${offset.toString(16)} 0x${size.toString(16)}>;`,
      "\t\t};",
    ].join("\n");
  });
  return `${preamble(choice)}
&flash0 {
\treg = <0x0 ${flashBytes}>;
\tSLUICE_FLASH(${flashBytes})

\tpartitions {
\t\tSLUICE_TABLE
\t\t#address-cells = <1>;
\t\t#size-cells = <1>;

${partitions.join("\n\n")}
\t};
};
`;
}

function preamble(choice: { soc: Soc; flashMiB: FlashMiB }): string {
  return `/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from hosts/flash/partitions.ts by \`npm run generate\`: ${choice.soc}, ${choice.flashMiB} MiB of flash. */

/* Zephyr 4.4 binds each partition by its own compatible, 4.3 and earlier bind the table. */
#if __has_include(<zephyr/devicetree/partitions.h>)
#define SLUICE_FLASH(bytes) ranges = <0x0 0x0 bytes>;
#define SLUICE_TABLE ranges;
#define SLUICE_PARTITION compatible = "zephyr,mapped-partition";
#else
#define SLUICE_FLASH(bytes)
#define SLUICE_TABLE compatible = "fixed-partitions";
#define SLUICE_PARTITION
#endif

/* The board's own table goes first, whatever it holds. */
&flash0 {
\t/delete-node/ partitions;
};
`;
}
