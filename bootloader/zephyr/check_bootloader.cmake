# SPDX-License-Identifier: Apache-2.0
# cmake -DNM=nm -DELF=zephyr.elf -DBIN=zephyr.bin -DROOM_BYTES=65536 -P check_bootloader.cmake: fails when the linker
# has dropped the trial-boot hook or the record of what was built, or when the bootloader has outgrown its partition.

execute_process(COMMAND ${NM} ${ELF} OUTPUT_VARIABLE symbols RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "cannot list the symbols of ${ELF} with ${NM}: ${failed}")
endif()
if(NOT symbols MATCHES "[Tt] boot_read_swap_state_primary_slot_hook\n")
  message(FATAL_ERROR
    "${ELF} does not contain boot_read_swap_state_primary_slot_hook: MCUboot was built without "
    "MCUBOOT_IMAGE_ACCESS_HOOKS and would revert an unconfirmed image at its first reboot. "
    "Set CONFIG_BOOT_IMAGE_ACCESS_HOOKS=y and keep bootloader/ in EXTRA_ZEPHYR_MODULES.")
endif()
if(NOT symbols MATCHES "[DdRr] sluice_bootloader_record\n")
  message(FATAL_ERROR
    "${ELF} does not contain sluice_bootloader_record: firmware would not know how this bootloader swaps, and would "
    "refuse every update. Keep bootloader/ in EXTRA_ZEPHYR_MODULES, and what its CMakeLists.txt tells the linker.")
endif()

if(EXISTS ${BIN})
  file(SIZE ${BIN} bin_bytes)
  if(bin_bytes GREATER ROOM_BYTES)
    message(FATAL_ERROR
      "the bootloader has ${bin_bytes} bytes, its partition ${ROOM_BYTES}: leave something out, in the order "
      "that bootloader/README.md gives.")
  endif()
endif()
