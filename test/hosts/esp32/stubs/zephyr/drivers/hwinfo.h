#pragma once
#include <stdint.h>
#define RESET_PIN 1u
#define RESET_SOFTWARE 2u
#define RESET_BROWNOUT 4u
#define RESET_POR 8u
#define RESET_WATCHDOG 16u
#define RESET_CPU_LOCKUP 128u
extern int hwinfo_get_reset_cause(uint32_t *cause);
