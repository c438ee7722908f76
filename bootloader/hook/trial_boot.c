/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Sluice authors */

/*
 * Gives an unconfirmed image three boots before MCUboot (swap using move) reverts it, and sees to
 * it that no power cut makes such an image stay. docs/decisions/trial-boots-in-bootctl.md says why.
 *
 * The flash page `bootctl`, one entry per write block; an entry is spent when it is not all 0xff:
 *
 *   entry 0  the first extra boot of an unconfirmed image
 *   entry 1  the second extra boot
 *   entry 2  no boot left, the revert was begun; stays, for the old image to see, until the next
 *            update is requested
 *
 * bootctl can only take boots away. Whether an image is to be reverted is read from the trailers
 * alone, so that a worn or garbage page costs boots and nothing else.
 *
 * What the hook decides, first match wins. A primary flag torn while it was written counts as set.
 * "good/set/unset" stands for a trailer's magic/copy_done/image_ok.
 *
 *   1  primary good, copy_done unset, swap     a revert that got as far as the primary trailer:
 *      type revert; secondary magic good       take it up again
 *   2  secondary good, image_ok set, swap      what MCUboot writes when a revert starts, so that a
 *      type none, swap size written;           cut resumes it: as a permanent swap, which
 *      primary not good/set/set                downgrade prevention refuses. Revert instead
 *   3  secondary good, image_ok not torn (an   erase bootctl if it is not blank: a fresh budget.
 *      update is requested), and not rule 4    Let MCUboot go on
 *   4  primary good/set/unset; the requested   an unconfirmed image wants to go back: revert, or
 *      image is older                          downgrade prevention would erase the way back
 *   5  primary good/set/unset, a boot is left  spend it and report image_ok as set: no revert
 *   6  primary good/set/unset                  revert
 *   7  anything else                           let MCUboot go on
 *
 * To revert: spend all entries; make sure the primary trailer alone says good/set/unset (rule 2
 * writes it anew when MCUboot has already begun to erase it); only then erase the secondary's
 * trailer if its magic is not blank, so that MCUboot starts the revert from its first step; report
 * good/set/unset. After a cut anywhere in between one of the rules above matches again.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bootutil/bootutil_public.h"
#include "bootutil/boot_public_hooks.h"
#include "bootutil/fault_injection_hardening.h"
#include "bootutil/image.h"
#include "flash_map_backend/flash_map_backend.h"
#include "sysflash/sysflash.h"

#ifdef __ZEPHYR__
#include <zephyr/storage/flash_map.h>
#if defined(PARTITION_ID) /* Zephyr 4.4 */
#define SLUICE_BOOTCTL_AREA_ID PARTITION_ID(bootctl_partition)
#else
#define SLUICE_BOOTCTL_AREA_ID FIXED_PARTITION_ID(bootctl_partition)
#endif
#endif

#include "bootctl_page.h"
#include "older_image.h"

/* Trailer fields by their distance from the end of a slot (boot_image_ok_off and its kin). */
#define MAGIC_FROM_END BOOT_MAGIC_ALIGN_SIZE
#define COPY_DONE_FROM_END (MAGIC_FROM_END + 2u * BOOT_MAX_ALIGN)
#define SWAP_SIZE_FROM_END (MAGIC_FROM_END + 4u * BOOT_MAX_ALIGN)

/* End of the trailer (boot_img_magic); above 8 its first two bytes are the alignment. */
#if BOOT_MAX_ALIGN == 8
#define MAGIC_WORDS 0xf395c277u, 0x7fefd260u, 0x0f505235u, 0x8079b62cu
#else
#define MAGIC_WORDS (0xe12d0000u | BOOT_MAX_ALIGN), 0x0b41295du, 0x9c67778du, 0x8a1f0f11u
#endif

static bool decided;
static struct boot_swap_state decision;

/* Forgets what this boot decided; on a device a reset does that. */
void sluice_trial_boot_reset(void);

void sluice_trial_boot_reset(void)
{
    decided = false;
}

static bool secondary_image_is_older(void)
{
    const struct flash_area *primary;
    const struct flash_area *secondary;
    bool older = false;

    if (flash_area_open(FLASH_AREA_IMAGE_PRIMARY(0), &primary) != 0) {
        return false;
    }
    if (flash_area_open(FLASH_AREA_IMAGE_SECONDARY(0), &secondary) == 0) {
        older = image_is_older(secondary, primary);
        flash_area_close(secondary);
    }
    flash_area_close(primary);
    return older;
}

/* Only MCUboot, at the start of a revert, writes a swap size into the secondary's trailer. */
static bool secondary_has_swap_size(void)
{
    const struct flash_area *secondary;
    uint32_t swap_size = UINT32_MAX;

    if (flash_area_open(FLASH_AREA_IMAGE_SECONDARY(0), &secondary) != 0) {
        return false;
    }
    if (flash_area_read(secondary, secondary->fa_size - SWAP_SIZE_FROM_END, &swap_size,
                        sizeof(swap_size)) != 0) {
        swap_size = UINT32_MAX;
    }
    flash_area_close(secondary);
    return swap_size != UINT32_MAX;
}

/* Writes good/set/unset into the primary's trailer. Magic goes last: half of it does not count. */
static void rebuild_primary_trailer(void)
{
    static const uint32_t magic_words[] = { MAGIC_WORDS };
    const struct flash_area *primary;
    uint32_t block[BOOT_MAGIC_ALIGN_SIZE / 4];
    uint32_t end;

    if (flash_area_open(FLASH_AREA_IMAGE_PRIMARY(0), &primary) != 0) {
        return;
    }
    end = primary->fa_size;
    memset(block, 0xff, sizeof(block));
    if (flash_area_erase(primary, end - SECTOR_BYTES, SECTOR_BYTES) == 0) {
        block[0] = 0xffffff00u | BOOT_FLAG_SET;
        if (flash_area_write(primary, end - COPY_DONE_FROM_END, block, SLUICE_WRITE_BLOCK_BYTES) ==
            0) {
            block[0] = UINT32_MAX;
            memcpy(&block[sizeof(block) / 4 - 4], magic_words, sizeof(magic_words));
            /* Should it fail, the secondary still holds what leads here at the next boot. */
            (void)flash_area_write(primary, end - MAGIC_FROM_END, block, sizeof(block));
        }
    }
    flash_area_close(primary);
}

static void erase_secondary_trailer(void)
{
    const struct flash_area *secondary;

    if (flash_area_open(FLASH_AREA_IMAGE_SECONDARY(0), &secondary) != 0) {
        return;
    }
    /* Should it fail, MCUboot meets the same sector and the same failure a moment later. */
    (void)flash_area_erase(secondary, secondary->fa_size - SECTOR_BYTES, SECTOR_BYTES);
    flash_area_close(secondary);
}

static bool is_trial(const struct boot_swap_state *primary)
{
    return primary->magic == BOOT_MAGIC_GOOD && primary->copy_done == BOOT_FLAG_SET &&
           primary->image_ok == BOOT_FLAG_UNSET;
}

static bool is_settled(const struct boot_swap_state *primary)
{
    return primary->magic == BOOT_MAGIC_GOOD && primary->copy_done == BOOT_FLAG_SET &&
           primary->image_ok == BOOT_FLAG_SET;
}

static bool is_requested(const struct boot_swap_state *secondary)
{
    return secondary->magic == BOOT_MAGIC_GOOD && secondary->image_ok != BOOT_FLAG_BAD;
}

/* Rule 1: the primary's trailer says that a revert is under way. */
static bool revert_reached_primary(const struct boot_swap_state *primary,
                                   const struct boot_swap_state *secondary)
{
    return primary->magic == BOOT_MAGIC_GOOD && primary->copy_done == BOOT_FLAG_UNSET &&
           primary->swap_type == BOOT_SWAP_TYPE_REVERT && secondary->magic == BOOT_MAGIC_GOOD;
}

/* Rule 2: the secondary's trailer is the one that MCUboot writes when it starts a revert. */
static bool revert_was_started(const struct boot_swap_state *primary,
                               const struct boot_swap_state *secondary)
{
    return !is_settled(primary) && secondary->magic == BOOT_MAGIC_GOOD &&
           secondary->image_ok == BOOT_FLAG_SET && secondary->swap_type == BOOT_SWAP_TYPE_NONE &&
           secondary_has_swap_size();
}

/* Brings flash to the state from which MCUboot reverts from its first step; reports that state. */
static void revert(struct boot_swap_state *primary, const struct boot_swap_state *secondary)
{
    spend_everything();
    if (!is_trial(primary) && !revert_reached_primary(primary, secondary)) {
        rebuild_primary_trailer();
    }
    if (secondary->magic != BOOT_MAGIC_UNSET) {
        erase_secondary_trailer();
    }
    primary->magic = BOOT_MAGIC_GOOD;
    primary->copy_done = BOOT_FLAG_SET;
    primary->image_ok = BOOT_FLAG_UNSET;
}

/* Applies the rules of the table above; `primary` becomes what MCUboot shall believe. */
static void decide(struct boot_swap_state *primary, const struct boot_swap_state *secondary)
{
    if (primary->magic == BOOT_MAGIC_GOOD) {
        if (primary->copy_done == BOOT_FLAG_BAD) {
            primary->copy_done = BOOT_FLAG_SET;
        }
        if (primary->image_ok == BOOT_FLAG_BAD) {
            primary->image_ok = BOOT_FLAG_SET;
        }
    }
    if (revert_reached_primary(primary, secondary) || revert_was_started(primary, secondary)) {
        revert(primary, secondary);
    } else if (is_requested(secondary)) {
        if (is_trial(primary) && secondary_image_is_older()) {
            revert(primary, secondary);
        } else {
            refresh_budget();
        }
    } else if (is_trial(primary)) {
        if (spend_boot()) {
            primary->image_ok = BOOT_FLAG_SET;
        } else {
            revert(primary, secondary);
        }
    }
}

/*
 * MCUboot asks for the primary's state whenever it wants to know the swap type, serial recovery
 * included: one decision per boot, or one boot would spend several.
 */
int boot_read_swap_state_primary_slot_hook(int image_index, struct boot_swap_state *state)
{
    struct boot_swap_state secondary;

    if (image_index != 0) {
        return BOOT_HOOK_REGULAR;
    }
    if (!decided) {
        if (boot_read_swap_state_by_id(FLASH_AREA_IMAGE_PRIMARY(0), &decision) != 0 ||
            boot_read_swap_state_by_id(FLASH_AREA_IMAGE_SECONDARY(0), &secondary) != 0) {
            return BOOT_HOOK_REGULAR;
        }
        decide(&decision, &secondary);
        decided = true;
    }
    *state = decision;
    return 0;
}

/*
 * A build with image access hooks calls the following too and does not link without them. From
 * bootutil: boot_read_image_header_hook, boot_image_check_hook, boot_perform_update_hook and
 * boot_copy_region_post_hook. From serial recovery: boot_serial_uploaded_hook and
 * boot_img_install_stat_hook (all since MCUboot 1.8.0), boot_reset_request_hook (since 2.0.0). The
 * set is the same in 2.3.0, 2.4.0 and main (2d4bacc3). Hooks behind an option of their own
 * (boot_go_hook, boot_find_next_slot_hook, flash_area_*_hook) are not ours to define.
 */

int boot_read_image_header_hook(int img_index, int slot, struct image_header *img_head)
{
    (void)img_index;
    (void)slot;
    (void)img_head;
    return BOOT_HOOK_REGULAR;
}

fih_ret boot_image_check_hook(int img_index, int slot)
{
    (void)img_index;
    (void)slot;
    FIH_RET(FIH_BOOT_HOOK_REGULAR);
}

int boot_perform_update_hook(int img_index, struct image_header *img_head,
                             const struct flash_area *area)
{
    (void)img_index;
    (void)img_head;
    (void)area;
    return BOOT_HOOK_REGULAR;
}

int boot_copy_region_post_hook(int img_index, const struct flash_area *area, size_t size)
{
    (void)img_index;
    (void)area;
    (void)size;
    return 0;
}

/* An operator put an image into the primary slot: what was counted for another one is void. */
int boot_serial_uploaded_hook(int img_index, const struct flash_area *area, size_t size)
{
    (void)size;
    if (img_index == 0 && area->fa_id == FLASH_AREA_IMAGE_PRIMARY(0)) {
        refresh_budget();
        sluice_trial_boot_reset();
    }
    return 0;
}

int boot_img_install_stat_hook(int image_index, int slot, int *img_install_stat)
{
    (void)image_index;
    (void)slot;
    (void)img_install_stat;
    return BOOT_HOOK_REGULAR;
}

int boot_reset_request_hook(bool force)
{
    (void)force;
    return 0;
}
