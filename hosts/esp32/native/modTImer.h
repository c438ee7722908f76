/*
 * The SDK's TCP socket for Zephyr includes this name; its file is modTimer.h. On disks that do not tell them apart
 * this file may be found for both names, hence the next one where there is one.
 */
#pragma GCC system_header
#if __has_include_next(<modTimer.h>)
#include_next <modTimer.h>
#else
#include <modTimer.h>
#endif
