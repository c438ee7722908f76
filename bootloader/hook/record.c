/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Sluice authors */

/*
 * What this bootloader was built with, where the firmware finds it: a constant in the bootloader's own flash
 * partition. Everything in it comes from the macros that MCUboot itself is compiled with, so that it cannot say
 * anything else than what MCUboot does. The reader is src/image/bootloader-record.ts; the two change together.
 *
 * Little-endian, as the chips are:
 *
 *    0  16  "Sluice: MCUboot "
 *   16   1  format, 1
 *   17   1  bytes of the whole record
 *   18   1  mode: 0 another one, 1 overwrite-only, 2 swap using move, 3 using offset, 4 using scratch
 *   19   1  signature: 0 none, 1 RSA, 2 ECDSA P-256, 3 Ed25519
 *   20   1  BOOT_MAX_ALIGN
 *   21   1  write block of the flash
 *   22   1  boots of an unconfirmed image before it is reverted
 *   23   1  bit 0 primary slot validated at every boot, bits 1 and 2 downgrade prevention by version and by
 *           security counter
 *   24   4  milliseconds of the watchdog that it leaves running, 0 without one
 *   28   4  BOOT_MAX_IMG_SECTORS
 *   32   4  sector of the flash
 *   36   8  primary slot: offset and bytes
 *   44   8  secondary slot: offset and bytes
 *   52   4  0x5ec0de0f, the end
 */

#include <stdint.h>

#include <zephyr/devicetree.h>
#include <zephyr/storage/flash_map.h>

#include "mcuboot_config/mcuboot_config.h"
#include "bootutil/bootutil_public.h"
#include "trial_boots.h"

#if defined(MCUBOOT_OVERWRITE_ONLY)
#define MODE 1
#elif defined(MCUBOOT_SWAP_USING_MOVE)
#define MODE 2
#elif defined(MCUBOOT_SWAP_USING_OFFSET)
#define MODE 3
#elif defined(MCUBOOT_SINGLE_APPLICATION_SLOT) || defined(MCUBOOT_DIRECT_XIP) || \
    defined(MCUBOOT_RAM_LOAD) || defined(MCUBOOT_FIRMWARE_LOADER)
#define MODE 0
#else
#define MODE 4 /* what bootutil_priv.h takes when nothing is said */
#endif

#if defined(MCUBOOT_SIGN_RSA)
#define SIGNATURE 1
#elif defined(MCUBOOT_SIGN_EC256)
#define SIGNATURE 2
#elif defined(MCUBOOT_SIGN_ED25519)
#define SIGNATURE 3
#else
#define SIGNATURE 0
#endif

#ifdef MCUBOOT_VALIDATE_PRIMARY_SLOT
#define VALIDATES_PRIMARY 1u
#else
#define VALIDATES_PRIMARY 0u
#endif

#if !defined(MCUBOOT_DOWNGRADE_PREVENTION)
#define DOWNGRADE_PREVENTION 0u
#elif MCUBOOT_DOWNGRADE_PREVENTION_SECURITY_COUNTER
#define DOWNGRADE_PREVENTION 4u
#else
#define DOWNGRADE_PREVENTION 2u
#endif

#ifdef MCUBOOT_IMAGE_ACCESS_HOOKS
#define TRIAL_BOOTS (EXTRA_BOOTS + 1u)
#else
#define TRIAL_BOOTS 1u
#endif

#ifdef CONFIG_BOOT_WATCHDOG_INSTALL_TIMEOUT_AT_BOOT
#define WATCHDOG_MS CONFIG_BOOT_WATCHDOG_TIMEOUT_MS
#else
#define WATCHDOG_MS 0
#endif

#if defined(PARTITION_OFFSET) /* Zephyr 4.4 */
#define SLOT(node) { PARTITION_OFFSET(node), PARTITION_SIZE(node) }
#else
#define SLOT(node) { FIXED_PARTITION_OFFSET(node), FIXED_PARTITION_SIZE(node) }
#endif

struct slot {
    uint32_t offset;
    uint32_t bytes;
};

struct record {
    char magic[16];
    uint8_t format;
    uint8_t bytes;
    uint8_t mode;
    uint8_t signature;
    uint8_t max_align;
    uint8_t write_block_bytes;
    uint8_t trial_boots;
    uint8_t checks;
    uint32_t watchdog_ms;
    uint32_t sectors_max;
    uint32_t sector_bytes;
    struct slot primary;
    struct slot secondary;
    uint32_t end;
};

_Static_assert(sizeof(struct record) == 56, "the reader knows 56 bytes");

/* Nothing here reads it: CMakeLists.txt has the linker keep it, and the build checks that it did. */
extern const struct record sluice_bootloader_record;

const struct record sluice_bootloader_record __attribute__((used)) = {
    .magic = { 'S', 'l', 'u', 'i', 'c', 'e', ':', ' ', 'M', 'C', 'U', 'b', 'o', 'o', 't', ' ' },
    .format = 1,
    .bytes = sizeof(struct record),
    .mode = MODE,
    .signature = SIGNATURE,
    .max_align = BOOT_MAX_ALIGN,
    .write_block_bytes = DT_PROP(DT_CHOSEN(zephyr_flash), write_block_size),
    .trial_boots = TRIAL_BOOTS,
    .checks = VALIDATES_PRIMARY | DOWNGRADE_PREVENTION,
    .watchdog_ms = WATCHDOG_MS,
    .sectors_max = MCUBOOT_MAX_IMG_SECTORS,
    .sector_bytes = DT_PROP(DT_CHOSEN(zephyr_flash), erase_block_size),
    .primary = SLOT(slot0_partition),
    .secondary = SLOT(slot1_partition),
    .end = 0x5ec0de0fu,
};
