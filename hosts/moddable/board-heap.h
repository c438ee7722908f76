/* The heap of a debug build of the firmware, laid out as on a board: see board-heap.c. */
#pragma once

/* Before anything of the library runs. */
void lay_out_as_on_a_board(void *library);
