/* For a compiler without a C library. */
#pragma once
#include <stddef.h>
extern void *memcpy(void *to, const void *from, size_t length);
extern int strcmp(const char *one, const char *other);
