/* SPDX-License-Identifier: Apache-2.0 */
/* Trailer states as MCUboot reports them (struct boot_swap_state) and its result codes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef MCUBOOT_BOOT_MAX_ALIGN
#define BOOT_MAX_ALIGN MCUBOOT_BOOT_MAX_ALIGN
#else
#define BOOT_MAX_ALIGN 8
#endif

#define BOOT_MAGIC_SZ 16
#define BOOT_MAGIC_ALIGN_SIZE (BOOT_MAX_ALIGN > BOOT_MAGIC_SZ ? BOOT_MAX_ALIGN : BOOT_MAGIC_SZ)

enum { BOOT_MAGIC_GOOD = 1, BOOT_MAGIC_BAD = 2, BOOT_MAGIC_UNSET = 3 };
enum { BOOT_SWAP_TYPE_NONE = 1, BOOT_SWAP_TYPE_TEST, BOOT_SWAP_TYPE_PERM, BOOT_SWAP_TYPE_REVERT };

/* The preprocessor needs no value of these, but the set flag is what lies in flash. */
#define BOOT_FLAG_SET 1
#define BOOT_FLAG_BAD 2
#define BOOT_FLAG_UNSET 3

#define BOOT_EFLASH 1
#define BOOT_HOOK_REGULAR 1

struct boot_swap_state {
    uint8_t magic;
    uint8_t swap_type;
    uint8_t copy_done;
    uint8_t image_ok;
    uint8_t image_num;
};

int boot_read_swap_state_by_id(int flash_area_id, struct boot_swap_state *state);
