#pragma once
#include <stddef.h>
extern int sys_csrand_get(void *buffer, size_t length);
