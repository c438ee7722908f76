/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "flash.h"

/* States in which a boot writes flash. Each must end in a revert, whatever is cut. */
static void put_cut_state(unsigned int number)
{
    blank_flash();
    put_new_image_on_trial();
    if (number < 3) {
        for (uint32_t entry = 0; entry < number; entry++) {
            spend(entry);
        }
        return;
    }
    spend(0), spend(1), spend(2);
    put_revert_start();
    if (number == 4) {
        memset(bytes_of(PRIMARY) + SLOT_BYTES - SECTOR_BYTES, 0xff, SECTOR_BYTES);
    } else if (number == 5) {
        put_swap_under_way(BOOT_SWAP_TYPE_REVERT);
    } else if (number == 6) {
        put_swap_under_way(BOOT_SWAP_TYPE_REVERT);
        bytes_of(PRIMARY)[magic_offset()] = 0xff;
    } else if (number == 7) {
        blank_flash();
        put_new_image_on_trial();
        put_request(false); /* of the older image, by the unconfirmed one */
    }
}

enum { CUT_STATES = 8, OPERATIONS_MAX = 8, BOOTS_MAX = 8 };

/* Boots with one cut at operation `first` and one `second` operations later. */
static bool reverts_despite(unsigned int state, uint32_t first, uint32_t second, enum tear tear)
{
    volatile unsigned int boots = 0;
    volatile unsigned int cuts = 0;

    put_cut_state(state);
    faults.tear = tear;
    faults.cut_at = first;
    for (volatile unsigned int i = 0; i < BOOTS_MAX; i++) {
        if (setjmp(power) != 0) {
            faults.cut_at = cuts++ == 0 ? operations + second : NO_CUT;
            continue;
        }
        if (boot() == DO_REVERT) {
            return boots <= 2;
        }
        boots++;
    }
    return false;
}

const char *cut_that_keeps_an_unconfirmed_image(void)
{
    static char found[80];

    for (unsigned int state = 0; state < CUT_STATES; state++) {
        for (uint32_t first = 0; first < OPERATIONS_MAX; first++) {
            for (uint32_t second = 0; second < OPERATIONS_MAX; second++) {
                for (int tear = 0; tear < TEARS; tear++) {
                    if (reverts_despite(state, first, second, (enum tear)tear)) {
                        continue;
                    }
                    snprintf(found, sizeof(found), "state %u, cuts at %u and %u, tear %d", state,
                             first, second, tear);
                    return found;
                }
            }
        }
    }
    return NULL;
}
