# SPDX-License-Identifier: Apache-2.0

# The IRAM window: RAM from which MCUboot runs. Zephyr's default (soc/espressif/*/memory.h, "these lengths can be
# adjusted") has no room for watchdog and serial recovery beside what we cannot do without. A linker script around
# the original one makes it larger where that was built; other chips keep theirs.
set(window_esp32c3 0x10000 0xc000)
set(window_esp32c6 0x10000 0xc000)

if(DEFINED window_${CONFIG_SOC} AND DEFINED SOC_LINKER_SCRIPT)
  list(GET window_${CONFIG_SOC} 0 window_iram)
  list(GET window_${CONFIG_SOC} 1 window_dram)
  if(CONFIG_BOOT_MAX_IMG_SECTORS GREATER 1024)
    # MCUboot keeps 16 bytes of RAM per sector of a slot: 31 KiB with 16 MiB of flash.
    set(window_dram 0x10000)
  endif()
  get_filename_component(window_soc_directory ${SOC_LINKER_SCRIPT} DIRECTORY)
  set(window_script ${PROJECT_BINARY_DIR}/sluice_${CONFIG_SOC}.ld)
  configure_file(window.ld.in ${window_script} @ONLY)
  set(SOC_LINKER_SCRIPT ${window_script} CACHE INTERNAL "")
endif()
