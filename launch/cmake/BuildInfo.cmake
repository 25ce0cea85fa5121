# Run at every build (cmake -P): writes OUTPUT from build_info.cpp.in, and only if something changed.
execute_process(COMMAND git -C ${KANTOR_SOURCE} describe --always --dirty --exclude=*
                OUTPUT_VARIABLE KANTOR_REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET
                RESULT_VARIABLE failed)
if(failed OR KANTOR_REVISION STREQUAL "")
  set(KANTOR_REVISION unknown)
endif()
configure_file(${KANTOR_SOURCE}/launch/build_info.cpp.in ${OUTPUT} @ONLY)
