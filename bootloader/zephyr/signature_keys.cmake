# SPDX-License-Identifier: Apache-2.0

# MCUboot signs with a key of its own repository when nobody names another: one that everybody has. Such a
# bootloader would take anybody's image, and it can never be replaced in the field.
string(REPLACE "," ";" signature_key_files "${CONFIG_BOOT_SIGNATURE_KEY_FILE}")
if(NOT signature_key_files)
  message(FATAL_ERROR "name the keys that images are signed with: -DCONFIG_BOOT_SIGNATURE_KEY_FILE=...")
endif()
foreach(file IN LISTS signature_key_files)
  get_filename_component(name "${file}" NAME)
  if(name MATCHES "^root-(ec|rsa|ed)" AND NOT SLUICE_ALLOW_PUBLISHED_KEY)
    message(FATAL_ERROR
      "${file} is a key from MCUboot's repository, its private half is public. Name your own in "
      "CONFIG_BOOT_SIGNATURE_KEY_FILE, or pass -DSLUICE_ALLOW_PUBLISHED_KEY=ON for a bootloader that never "
      "leaves the desk.")
  endif()
endforeach()
