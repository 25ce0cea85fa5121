# Imports the CUDA compiler, the CUDA runtime and NCCL of the nvidia wheels that stand beside the torch
# wheel. No CUDA toolkit is asked for, and one that is installed is left alone: it may be of another
# version.
#
#   kantor_cuda::runtime  cuda_runtime_api.h and libcudart.so.13
#   kantor_cuda::nccl     nccl.h and libnccl.so.2 (brings the runtime)
#   kantor_cuda_kernels(NAME SOURCES ...)  a static library kantor_NAME of .cu files, for every card
#     that kantor knows; a kernel that spills registers or needs a stack is an error.

get_filename_component(nvidia "${KANTOR_TORCH}/../nvidia" ABSOLUTE)
set(cudart ${nvidia}/cu13/lib/libcudart.so.13)
set(nccl ${nvidia}/nccl/lib/libnccl.so.2)
set(nvcc ${nvidia}/cu13/bin/nvcc)
foreach(file ${nvcc} ${cudart} ${nccl} ${nvidia}/cu13/include/cuda_runtime_api.h ${nvidia}/nccl/include/nccl.h)
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

set(CMAKE_CUDA_COMPILER ${nvcc})
set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100)  # the last as PTX too, for cards to come
# nvcc looks for its runtime in lib64, where a toolkit has it; the wheel has it in lib.
string(APPEND CMAKE_CUDA_FLAGS " -L${nvidia}/cu13/lib")
set(CMAKE_CUDA_STANDARD 17)  # CMake 3.25 knows no later one
set(CMAKE_CUDA_EXTENSIONS OFF)
enable_language(CUDA)

# In float the special function unit's roots and powers of two, without the detour for subnormal numbers.
# Profilers and sanitizers name source lines.
set(KANTOR_CUDA_OPTIONS -ftz=true -prec-sqrt=false -lineinfo -Werror=all-warnings
  "-Xcompiler=-Wall,-Wextra,-Werror" "-Xptxas=-warn-spills,-warn-lmem-usage,-Werror")

function(kantor_cuda_kernels name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  add_library(kantor_${name} STATIC ${arg_SOURCES})
  target_include_directories(kantor_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(kantor_${name} PRIVATE ${KANTOR_CUDA_OPTIONS})
  target_link_libraries(kantor_${name} PUBLIC kantor_cuda::runtime)
  set_target_properties(kantor_${name} PROPERTIES CUDA_RUNTIME_LIBRARY None)  # linked by name, above
endfunction()
