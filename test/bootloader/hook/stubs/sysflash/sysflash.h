/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define FLASH_AREA_IMAGE_PRIMARY(image) ((void)(image), 1)
#define FLASH_AREA_IMAGE_SECONDARY(image) ((void)(image), 2)
#define SLUICE_BOOTCTL_AREA_ID 7
