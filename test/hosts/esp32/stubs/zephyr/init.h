#pragma once
#define SYS_INIT(function, level, priority) int (*const function##_at_start)(void) = (function)
