# Imports LibTorch from a torch wheel or an unpacked LibTorch folder, without the wheel's own
# find_package(Torch): that one stops where no CUDA toolkit is installed.
#
#   torch::torch  headers and libraries, for targets that use tensors
#   torch::blas   the library alone, for torch-free code that calls its exported BLAS and LAPACK
#
# KANTOR_TORCH names the folder that holds include/ and lib/; by default the wheel that
# launch/bootstrap.sh installed.

if(NOT KANTOR_TORCH)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/launch/bootstrap.sh --print
                  OUTPUT_VARIABLE KANTOR_TORCH OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
set(KANTOR_TORCH "${KANTOR_TORCH}" CACHE PATH "LibTorch folder (holds include/ and lib/)" FORCE)
if(NOT EXISTS "${KANTOR_TORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "no LibTorch in '${KANTOR_TORCH}': run launch/bootstrap.sh, or give -DKANTOR_TORCH=FOLDER")
endif()
if(KANTOR_TORCH MATCHES "^/usr/(lib|include|share)")
  message(FATAL_ERROR "Debian's libtorch (${KANTOR_TORCH}) is too old; run launch/bootstrap.sh")
endif()
message(STATUS "LibTorch: ${KANTOR_TORCH}")

add_library(torch::c10 SHARED IMPORTED)
set_target_properties(torch::c10 PROPERTIES IMPORTED_LOCATION ${KANTOR_TORCH}/lib/libc10.so)

add_library(torch::blas SHARED IMPORTED)
set_target_properties(torch::blas PROPERTIES
  IMPORTED_LOCATION ${KANTOR_TORCH}/lib/libtorch_cpu.so
  INTERFACE_LINK_LIBRARIES torch::c10
  INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined")  # its CUDA libraries are found by its own rpath

add_library(torch::torch INTERFACE IMPORTED)
set_target_properties(torch::torch PROPERTIES
  INTERFACE_LINK_LIBRARIES torch::blas
  INTERFACE_INCLUDE_DIRECTORIES "${KANTOR_TORCH}/include;${KANTOR_TORCH}/include/torch/csrc/api/include"
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${KANTOR_TORCH}/include;${KANTOR_TORCH}/include/torch/csrc/api/include")
