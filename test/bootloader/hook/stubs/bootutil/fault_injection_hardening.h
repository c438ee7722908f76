/* SPDX-License-Identifier: Apache-2.0 */
/* MCUboot's hardening as it is when switched off: a result is an int. */
#pragma once

typedef int fih_ret;

#define FIH_BOOT_HOOK_REGULAR 2
#define FIH_RET(result) return (result)
