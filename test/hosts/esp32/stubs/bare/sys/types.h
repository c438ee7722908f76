/* For a compiler without a C library. */
#pragma once
#include <stddef.h>
typedef long ssize_t;
