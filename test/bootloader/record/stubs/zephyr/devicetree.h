/* The devicetree of a board with 4 MiB of flash, as far as the record asks it. */
#pragma once
#define DT_CHOSEN(name) name
#define DT_PROP(node, property) property
#define write_block_size 4
#define erase_block_size 4096
