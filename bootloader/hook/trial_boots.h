/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Sluice authors */

/* How many boots an unconfirmed image gets beyond its first. */
#pragma once

#define EXTRA_BOOTS 2u
