/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Sluice authors */

/* The flash page `bootctl`: which boots of an unconfirmed image are spent. Format: trial_boot.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bootutil/bootutil_public.h"
#include "flash_map_backend/flash_map_backend.h"
#include "trial_boots.h"

#ifndef SLUICE_BOOTCTL_AREA_ID
#error "define SLUICE_BOOTCTL_AREA_ID: the flash area of the bootctl partition"
#endif

/* Sector of every ESP32 flash; the trailer fields that matter lie in the last one of a slot. */
#define SECTOR_BYTES 4096u

/* Plain ESP32 flash takes 4-byte writes; where MCUboot is built for larger ones, so are we. */
#ifndef SLUICE_WRITE_BLOCK_BYTES
#if BOOT_MAX_ALIGN > 8
#define SLUICE_WRITE_BLOCK_BYTES BOOT_MAX_ALIGN
#else
#define SLUICE_WRITE_BLOCK_BYTES 4
#endif
#endif

#define BLOCK_WORDS (SLUICE_WRITE_BLOCK_BYTES / 4)
#define ENTRIES (EXTRA_BOOTS + 1u)

static inline bool is_blank(const uint32_t *words, unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++) {
        if (words[i] != UINT32_MAX) {
            return false;
        }
    }
    return true;
}

/* An entry that cannot be read counts as spent. */
static inline bool entry_is_spent(const struct flash_area *page, unsigned int entry)
{
    uint32_t block[BLOCK_WORDS];

    return flash_area_read(page, entry * SLUICE_WRITE_BLOCK_BYTES, block, sizeof(block)) != 0 ||
           !is_blank(block, BLOCK_WORDS);
}

/* True when the entry is spent now: a page that does not take the write must not grant a boot. */
static inline bool spend_entry(const struct flash_area *page, unsigned int entry)
{
    uint32_t zeros[BLOCK_WORDS];

    memset(zeros, 0, sizeof(zeros));
    return flash_area_write(page, entry * SLUICE_WRITE_BLOCK_BYTES, zeros, sizeof(zeros)) == 0 &&
           entry_is_spent(page, entry);
}

/* Spends one extra boot; false when none is left. A spent entry takes the earlier ones along. */
static inline bool spend_boot(void)
{
    const struct flash_area *page;
    unsigned int used = ENTRIES;
    bool granted = false;

    if (flash_area_open(SLUICE_BOOTCTL_AREA_ID, &page) != 0) {
        return false;
    }
    while (used > 0 && !entry_is_spent(page, used - 1)) {
        used--;
    }
    if (used < EXTRA_BOOTS) {
        granted = spend_entry(page, used);
    }
    flash_area_close(page);
    return granted;
}

static inline void spend_everything(void)
{
    const struct flash_area *page;
    unsigned int entry;

    if (flash_area_open(SLUICE_BOOTCTL_AREA_ID, &page) != 0) {
        return;
    }
    for (entry = 0; entry < ENTRIES; entry++) {
        if (!entry_is_spent(page, entry)) {
            /* A page that refuses it still grants nothing: see spend_boot. */
            (void)spend_entry(page, entry);
        }
    }
    flash_area_close(page);
}

/* Erases bootctl when any byte is programmed. A page that cannot be erased leaves fewer boots. */
static inline void refresh_budget(void)
{
    const struct flash_area *page;
    uint32_t words[16];
    uint32_t offset = 0;

    if (flash_area_open(SLUICE_BOOTCTL_AREA_ID, &page) != 0) {
        return;
    }
    while (offset < SECTOR_BYTES && flash_area_read(page, offset, words, sizeof(words)) == 0 &&
           is_blank(words, sizeof(words) / sizeof(words[0]))) {
        offset += sizeof(words);
    }
    if (offset < SECTOR_BYTES) {
        (void)flash_area_erase(page, 0, SECTOR_BYTES);
    }
    flash_area_close(page);
}
