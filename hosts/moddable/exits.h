/* How a run of the firmware ends; process-exit.ts reads these. */
#pragma once

#define SLUICE_EXIT_RESTART 10
#define SLUICE_EXIT_POWER_CUT 11
#define SLUICE_EXIT_FLASH_RULE 12
#define SLUICE_EXIT_EXCEPTION 13
#define SLUICE_EXIT_NOT_STARTED 14
