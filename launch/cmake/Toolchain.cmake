# ccache where there is one, the warning set of our own targets, sanitizers by option.

find_program(KANTOR_CCACHE ccache)
if(KANTOR_CCACHE)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${KANTOR_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${launcher})
endif()

add_library(kantor_warnings INTERFACE)
target_compile_options(kantor_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion -Werror
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # false alarms on std::string in GCC 12 (bug 105651)

set(KANTOR_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: address,undefined or thread")
if(KANTOR_SANITIZE)
  add_compile_options($<$<NOT:$<COMPILE_LANGUAGE:CUDA>>:-fsanitize=${KANTOR_SANITIZE}>
    $<$<NOT:$<COMPILE_LANGUAGE:CUDA>>:-fno-omit-frame-pointer>)
  add_link_options(-fsanitize=${KANTOR_SANITIZE})
endif()
