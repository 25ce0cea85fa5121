# Imports the CUDA runtime and NCCL of the nvidia wheels that stand beside the torch wheel. No CUDA
# toolkit is asked for, and one that is installed is left alone: it may be of another version.
#
#   kantor_cuda::runtime  cuda_runtime_api.h and libcudart.so.13
#   kantor_cuda::nccl     nccl.h and libnccl.so.2 (brings the runtime)

get_filename_component(nvidia "${KANTOR_TORCH}/../nvidia" ABSOLUTE)
set(cudart ${nvidia}/cu13/lib/libcudart.so.13)
set(nccl ${nvidia}/nccl/lib/libnccl.so.2)
foreach(file ${cudart} ${nccl} ${nvidia}/cu13/include/cuda_runtime_api.h ${nvidia}/nccl/include/nccl.h)
  if(NOT EXISTS ${file})
    message(FATAL_ERROR "no ${file}: run launch/bootstrap.sh, which installs the nvidia wheels beside torch")
  endif()
endforeach()
message(STATUS "CUDA runtime and NCCL: ${nvidia}")

add_library(kantor_cuda::runtime SHARED IMPORTED)
set_target_properties(kantor_cuda::runtime PROPERTIES
  IMPORTED_LOCATION ${cudart}
  IMPORTED_SONAME libcudart.so.13
  INTERFACE_INCLUDE_DIRECTORIES ${nvidia}/cu13/include
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${nvidia}/cu13/include)

add_library(kantor_cuda::nccl SHARED IMPORTED)
set_target_properties(kantor_cuda::nccl PROPERTIES
  IMPORTED_LOCATION ${nccl}
  IMPORTED_SONAME libnccl.so.2
  INTERFACE_INCLUDE_DIRECTORIES ${nvidia}/nccl/include
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${nvidia}/nccl/include
  INTERFACE_LINK_LIBRARIES kantor_cuda::runtime)
