/*
 * The time of the machine, once, before the first line of JavaScript: a chip asks a server on its wire for it, and
 * without it no certificate is taken.
 */
#include <time.h>
#include <zephyr/init.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/clock.h>

#include "native_rtc.h"

static int set_clock(void)
{
	uint32_t nanoseconds;
	uint64_t seconds;

	native_rtc_gettime(RTC_CLOCK_PSEUDOHOSTREALTIME, &nanoseconds, &seconds);

	struct timespec now = {.tv_sec = (time_t)seconds, .tv_nsec = nanoseconds};

	return sys_clock_settime(SYS_CLOCK_REALTIME, &now);
}

SYS_INIT(set_clock, APPLICATION, 0);
