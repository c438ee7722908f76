#pragma once
#define FIXED_PARTITION_OFFSET(node) node##_offset
#define FIXED_PARTITION_SIZE(node) 0x1c0000
#define slot0_partition_offset 0x20000
#define slot1_partition_offset 0x1e0000
