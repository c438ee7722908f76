/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the hook once per case read from standard input: the number of the operation at which power
 * fails, how it fails, and the whole flash. Answers with 1 when power held, what the hook reports
 * (magic, copy_done, image_ok), and the flash afterwards.
 */
#include "flash.h"

#include <stdio.h>
#include <string.h>

#include "bootutil/boot_public_hooks.h"

#define FLASH_BYTES (2 * SLOT_BYTES + SECTOR_BYTES)

void sluice_trial_boot_reset(void);

static uint8_t input[FLASH_BYTES];

static int answer_one(void)
{
    uint32_t cut[2];
    struct boot_swap_state state;
    uint8_t head[4] = { 0 };

    if (fread(cut, sizeof(cut), 1, stdin) != 1 || fread(input, sizeof(input), 1, stdin) != 1) {
        return 0;
    }
    blank_flash();
    memcpy(bytes_of(PRIMARY), input, sizeof(input));
    faults.cut_at = cut[0];
    faults.tear = (enum tear)cut[1];
    memset(&state, 0, sizeof(state));
    sluice_trial_boot_reset();
    if (setjmp(power) == 0) {
        if (boot_read_swap_state_primary_slot_hook(0, &state) != 0) {
            return 0;
        }
        head[0] = 1;
        head[1] = state.magic;
        head[2] = state.copy_done;
        head[3] = state.image_ok;
    }
    return fwrite(head, sizeof(head), 1, stdout) == 1 &&
           fwrite(bytes_of(PRIMARY), FLASH_BYTES, 1, stdout) == 1;
}

int main(void)
{
    while (answer_one()) {
    }
    return 0;
}
