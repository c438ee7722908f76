/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the trial-boot hook. Prints "ok - rule" or "not ok - rule: what was seen". */
#include <stdio.h>
#include <string.h>

#include "bootutil/boot_public_hooks.h"
#include "flash.h"
#include "flash_map_backend/flash_map_backend.h"

static const char *seen;
static char message[160];

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition) && seen == NULL) {                                                        \
            snprintf(message, sizeof(message), "line %d: %s", __LINE__, #condition);               \
            seen = message;                                                                        \
        }                                                                                          \
    } while (0)

static bool is_erased_trailer(enum area slot)
{
    struct boot_swap_state state = state_of(slot);

    return state.magic == BOOT_MAGIC_UNSET && state.image_ok == BOOT_FLAG_UNSET &&
           state.copy_done == BOOT_FLAG_UNSET;
}

static void gives_three_boots_then_reverts(void)
{
    put_new_image_on_trial(); /* the boot that swapped was the first */
    EXPECT(boot() == DO_NOTHING);
    EXPECT(boot() == DO_NOTHING);
    EXPECT(entries_spent() == 2);
    EXPECT(boot() == DO_REVERT);
    EXPECT(entries_spent() == 3);
}

static void decides_once_per_boot(void)
{
    struct boot_swap_state state;

    put_new_image_on_trial();
    EXPECT(boot() == DO_NOTHING);
    for (int i = 0; i < 4; i++) {
        EXPECT(boot_read_swap_state_primary_slot_hook(0, &state) == 0);
        EXPECT(state.image_ok == BOOT_FLAG_SET);
    }
    EXPECT(entries_spent() == 1);
}

static void leaves_other_image_pairs_to_mcuboot(void)
{
    struct boot_swap_state state;

    put_new_image_on_trial();
    EXPECT(boot_read_swap_state_primary_slot_hook(1, &state) == BOOT_HOOK_REGULAR);
    EXPECT(operations == 0);
}

static void leaves_a_confirmed_image_alone(void)
{
    put_new_image_on_trial();
    EXPECT(boot() == DO_NOTHING);
    bytes_of(PRIMARY)[image_ok_offset()] = BOOT_FLAG_SET;
    operations = 0;
    for (int i = 0; i < 5; i++) {
        EXPECT(boot() == DO_NOTHING);
    }
    EXPECT(operations == 0);
}

static void leaves_a_device_from_the_factory_alone(void)
{
    put_image(PRIMARY, old_image);
    EXPECT(boot() == DO_NOTHING);
    EXPECT(operations == 0);
}

static void gives_a_requested_image_a_fresh_page(void)
{
    put_image(SECONDARY, new_image);
    put_confirmed();
    put_request(false);
    EXPECT(boot() == DO_TEST);
    EXPECT(operations == 0); /* a blank page is not erased again */
    spend(0);
    bytes_of(BOOTCTL)[SECTOR_BYTES - 1] = 0x7f;
    EXPECT(boot() == DO_TEST);
    EXPECT(entries_spent() == 0 && operations == 1);
}

static void counts_a_torn_copy_done_as_set(void)
{
    put_new_image_on_trial();
    bytes_of(PRIMARY)[copy_done_offset()] = 0x0f;
    EXPECT(boot() == DO_NOTHING && boot() == DO_NOTHING);
    EXPECT(boot() == DO_REVERT);
}

static void counts_a_torn_confirmation_as_given(void)
{
    put_new_image_on_trial();
    bytes_of(PRIMARY)[image_ok_offset()] = 0x0f;
    for (int i = 0; i < 5; i++) {
        EXPECT(boot() == DO_NOTHING);
    }
    EXPECT(operations == 0);
}

static void takes_up_a_revert_whose_start_was_cut(void)
{
    put_new_image_on_trial();
    spend(0), spend(1), spend(2);
    put_revert_start(); /* stock MCUboot: a permanent swap, which downgrade prevention refuses */
    EXPECT(boot() == DO_REVERT);
    EXPECT(is_erased_trailer(SECONDARY));
}

static void rebuilds_a_primary_trailer_that_the_revert_erased(void)
{
    put_new_image_on_trial();
    put_revert_start();
    memset(bytes_of(PRIMARY) + SLOT_BYTES - SECTOR_BYTES, 0xff, SECTOR_BYTES);
    EXPECT(boot() == DO_REVERT);
    EXPECT(is_erased_trailer(SECONDARY));
    EXPECT(state_of(PRIMARY).magic == BOOT_MAGIC_GOOD);
    EXPECT(state_of(PRIMARY).copy_done == BOOT_FLAG_SET);
    EXPECT(state_of(PRIMARY).image_ok == BOOT_FLAG_UNSET);
    EXPECT(boot() == DO_REVERT); /* a cut right after that */
}

static void takes_up_a_revert_that_reached_the_primary_trailer(void)
{
    put_new_image_on_trial();
    put_revert_start();
    put_swap_under_way(BOOT_SWAP_TYPE_REVERT);
    /* The erase of the secondary's trailer was cut and took all but the magic. */
    memset(bytes_of(SECONDARY) + swap_size_offset(), 0xff, magic_offset() - swap_size_offset());
    EXPECT(boot() == DO_REVERT);
    EXPECT(is_erased_trailer(SECONDARY));
    EXPECT(boot() == DO_REVERT);
}

static void erases_a_torn_magic_before_a_revert(void)
{
    put_new_image_on_trial();
    spend(0), spend(1);
    put_revert_start();
    bytes_of(SECONDARY)[magic_offset() + 15] =
        0xff; /* MCUboot would skip its own protection then */
    EXPECT(boot() == DO_REVERT);
    EXPECT(is_erased_trailer(SECONDARY));
}

static void lets_an_unconfirmed_image_request_a_newer_one(void)
{
    put_new_image_on_trial();
    spend(0), spend(1);
    put_image(SECONDARY, newer_image);
    put_request(false);
    EXPECT(boot() == DO_TEST);
    EXPECT(entries_spent() == 0);
}

static void reverts_when_an_unconfirmed_image_requests_an_older_one(void)
{
    struct image_facts lower_version = { .major = 1, .has_counter = true, .counter = 2 };
    struct image_facts no_counter = { .major = 3 };
    struct image_facts lower_counter = { .major = 3, .has_counter = true, .counter = 1 };
    const struct image_facts older[] = { old_image, lower_version, no_counter, lower_counter };

    for (unsigned int i = 0; i < 4; i++) {
        blank_flash();
        put_new_image_on_trial();
        put_image(SECONDARY, older[i]);
        put_request(i == 1);
        EXPECT(boot() == DO_REVERT);
        EXPECT(entries_spent() == 3);
        EXPECT(is_erased_trailer(SECONDARY));
    }
}

static void lets_a_confirmed_image_request_an_older_one(void)
{
    put_image(PRIMARY, new_image);
    put_image(SECONDARY, old_image);
    put_confirmed();
    put_request(false);
    EXPECT(boot() == DO_TEST); /* downgrade prevention is MCUboot's, not ours */
}

static void leaves_a_cut_permanent_request_to_mcuboot(void)
{
    put_image(PRIMARY, old_image);
    put_image(SECONDARY, new_image);
    put_request(true);
    bytes_of(SECONDARY)[swap_info_offset()] = 0xff; /* the cut came before its last write */
    EXPECT(boot() == DO_PERMANENT);
    EXPECT(operations == 0);
}

static void takes_no_request_for_the_start_of_a_revert(void)
{
    /* The old image's trailer was never there, and a swap size was left behind in the secondary. */
    put_image(SECONDARY, new_image);
    put_revert_start();
    put_request(true);
    EXPECT(boot() == DO_PERMANENT);

    blank_flash();
    put_image(SECONDARY, new_image);
    put_confirmed();
    put_revert_start(); /* whatever wrote this: a confirmed image is never reverted */
    EXPECT(boot() == DO_PERMANENT);
    EXPECT(operations == 0);
}

static void does_not_take_a_torn_request_for_an_update(void)
{
    put_new_image_on_trial();
    spend(0);
    put_request(true);
    bytes_of(SECONDARY)[image_ok_offset()] = 0x0f;
    EXPECT(boot() == DO_NOTHING);
    EXPECT(entries_spent() == 2);
    EXPECT(boot() == DO_REVERT);
}

static void garbage_in_the_page_only_takes_boots_away(void)
{
    put_new_image_on_trial();
    memset(bytes_of(BOOTCTL), 0x5a, SECTOR_BYTES);
    EXPECT(boot() == DO_REVERT);

    blank_flash();
    put_new_image_on_trial();
    spend(1); /* a later entry takes the earlier one along */
    EXPECT(boot() == DO_REVERT);

    blank_flash();
    put_image(PRIMARY, old_image);
    put_image(SECONDARY, new_image); /* downloaded, not requested */
    memset(bytes_of(BOOTCTL), 0, SECTOR_BYTES);
    EXPECT(boot() == DO_NOTHING);
    EXPECT(operations == 0);
}

static void a_page_that_takes_no_write_grants_no_boot(void)
{
    const enum page_fault kinds[] = { PAGE_IGNORES_WRITES, PAGE_REFUSES_WRITES,
                                      PAGE_REFUSES_READS };

    for (unsigned int i = 0; i < 3; i++) {
        blank_flash();
        put_new_image_on_trial();
        faults.page = kinds[i];
        EXPECT(boot() == DO_REVERT);
    }
}

static void a_page_that_cannot_be_erased_grants_what_is_left(void)
{
    spend(0);
    faults.page = PAGE_IGNORES_ERASES;
    put_image(SECONDARY, new_image);
    put_request(false);
    EXPECT(boot() == DO_TEST);
    blank_flash();
    spend(0);
    put_new_image_on_trial();
    EXPECT(boot() == DO_NOTHING);
    EXPECT(boot() == DO_REVERT);
}

static void an_upload_into_the_primary_slot_forgets_the_trial(void)
{
    const struct flash_area *area;

    spend(0), spend(1), spend(2);
    flash_area_open(SECONDARY, &area);
    EXPECT(boot_serial_uploaded_hook(0, area, 100) == 0);
    EXPECT(entries_spent() == 3);
    flash_area_open(PRIMARY, &area);
    EXPECT(boot_serial_uploaded_hook(0, area, 100) == 0);
    EXPECT(entries_spent() == 0);
}

static void leaves_every_other_hook_to_mcuboot(void)
{
    EXPECT(boot_read_image_header_hook(0, 0, NULL) == BOOT_HOOK_REGULAR);
    EXPECT(boot_image_check_hook(0, 0) == FIH_BOOT_HOOK_REGULAR);
    EXPECT(boot_perform_update_hook(0, NULL, NULL) == BOOT_HOOK_REGULAR);
    EXPECT(boot_copy_region_post_hook(0, NULL, 0) == 0);
    EXPECT(boot_img_install_stat_hook(0, 0, NULL) == BOOT_HOOK_REGULAR);
    EXPECT(boot_reset_request_hook(false) == 0);
}

static void no_cut_makes_an_unconfirmed_image_stay(void)
{
    seen = cut_that_keeps_an_unconfirmed_image();
}

static const struct {
    const char *rule;
    void (*run)(void);
} scenarios[] = {
    { "gives an unconfirmed image three boots, then reverts it", gives_three_boots_then_reverts },
    { "decides once per boot, however often MCUboot asks", decides_once_per_boot },
    { "leaves other image pairs to MCUboot", leaves_other_image_pairs_to_mcuboot },
    { "leaves a confirmed image alone", leaves_a_confirmed_image_alone },
    { "leaves a device from the factory alone", leaves_a_device_from_the_factory_alone },
    { "gives a requested image a fresh page", gives_a_requested_image_a_fresh_page },
    { "counts a torn copy_done as set", counts_a_torn_copy_done_as_set },
    { "counts a torn confirmation as given", counts_a_torn_confirmation_as_given },
    { "takes up a revert whose start was cut", takes_up_a_revert_whose_start_was_cut },
    { "rebuilds a primary trailer that the revert erased",
      rebuilds_a_primary_trailer_that_the_revert_erased },
    { "takes up a revert that reached the primary trailer",
      takes_up_a_revert_that_reached_the_primary_trailer },
    { "erases a torn magic before a revert", erases_a_torn_magic_before_a_revert },
    { "lets an unconfirmed image request a newer one",
      lets_an_unconfirmed_image_request_a_newer_one },
    { "reverts when an unconfirmed image requests an older one",
      reverts_when_an_unconfirmed_image_requests_an_older_one },
    { "lets a confirmed image request an older one", lets_a_confirmed_image_request_an_older_one },
    { "leaves a cut permanent request to MCUboot", leaves_a_cut_permanent_request_to_mcuboot },
    { "takes no request for the start of a revert", takes_no_request_for_the_start_of_a_revert },
    { "does not take a torn request for an update", does_not_take_a_torn_request_for_an_update },
    { "garbage in the page only takes boots away", garbage_in_the_page_only_takes_boots_away },
    { "a page that takes no write grants no boot", a_page_that_takes_no_write_grants_no_boot },
    { "a page that cannot be erased grants what is left",
      a_page_that_cannot_be_erased_grants_what_is_left },
    { "an upload into the primary slot forgets the trial",
      an_upload_into_the_primary_slot_forgets_the_trial },
    { "leaves every other hook to MCUboot", leaves_every_other_hook_to_mcuboot },
    { "no pair of cuts makes an unconfirmed image stay", no_cut_makes_an_unconfirmed_image_stay },
};

int main(void)
{
    int failures = 0;

    for (unsigned int i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        seen = NULL;
        blank_flash();
        scenarios[i].run();
        failures += seen != NULL;
        printf(seen == NULL ? "ok - %s\n" : "not ok - %s: %s\n", scenarios[i].rule, seen);
    }
    return failures == 0 ? 0 : 1;
}
