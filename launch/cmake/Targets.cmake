# kantor_library(NAME [TORCH] SOURCES ... [LINK ...] [PRIVATE_LINK ...])
#   A static library kantor_NAME. With TORCH it sees the torch headers through the one shared
#   precompiled header; without, it compiles in seconds and must not include any of them.
# kantor_test(NAME [TORCH] SOURCES ... [LINK ...] [LABELS ...])
#   A GoogleTest program, run once by ctest; its results go to test-results/NAME.json.
# kantor_mpi_test(NAME RANKS 1 2 .. SOURCES ... [LINK ...])
#   The same, launched by mpirun with each number of ranks.
# kantor_thread_test(NAME RANKS 1 2 .. SOURCES ... [LINK ...])
#   The same with ranks as threads; tests of the fixture kantor::test::OnAllRanks run on all of them.

function(kantor_use_torch target)
  target_link_libraries(${target} PRIVATE torch::torch)
  target_precompile_headers(${target} REUSE_FROM kantor_torch_header)
  target_compile_options(${target} PRIVATE -fPIC)  # as the header: programs would have -fPIE
endfunction()

add_library(kantor_torch_header STATIC ${CMAKE_SOURCE_DIR}/launch/cmake/torch_header.cpp)
target_link_libraries(kantor_torch_header PRIVATE kantor_warnings torch::torch)
target_precompile_headers(kantor_torch_header PRIVATE <torch/torch.h>)

function(kantor_library name)
  cmake_parse_arguments(arg "TORCH" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  set(target kantor_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${arg_LINK} PRIVATE kantor_warnings ${arg_PRIVATE_LINK})
  if(arg_TORCH)
    kantor_use_torch(${target})
  endif()
endfunction()

function(kantor_test_program name)
  cmake_parse_arguments(arg "TORCH" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE kantor_warnings ${arg_LINK} GTest::gtest GTest::gmock)
  if(arg_TORCH)
    kantor_use_torch(${name})
    target_compile_options(${name} PRIVATE -fPIC)  # as the header was; a program's own is -fPIE
  endif()
endfunction()

function(kantor_test name)
  cmake_parse_arguments(arg "TORCH" "" "SOURCES;LINK;LABELS" ${ARGN})
  set(torch "")
  if(arg_TORCH)
    set(torch TORCH)
  endif()
  kantor_test_program(${name} ${torch} SOURCES ${arg_SOURCES} LINK ${arg_LINK} kantor_test_single_main)
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  add_test(NAME ${name} COMMAND ${name} --gtest_output=json:${CMAKE_BINARY_DIR}/test-results/${name}.json)
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT 600)
endfunction()

# What Open MPI needs to run as root and with more ranks than cores.
set(KANTOR_MPI_ENVIRONMENT
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
  OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
  OMPI_MCA_btl_vader_single_copy_mechanism=none
  PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe PRTE_MCA_hwloc_default_binding_policy=none
  OMP_NUM_THREADS=1)

function(kantor_mpi_test name)
  cmake_parse_arguments(arg "TORCH" "" "RANKS;SOURCES;LINK" ${ARGN})
  set(torch "")
  if(arg_TORCH)
    set(torch TORCH)
  endif()
  kantor_test_program(${name} ${torch} SOURCES ${arg_SOURCES} LINK ${arg_LINK} kantor_test_mpi_main)
  foreach(ranks ${arg_RANKS})
    add_test(NAME ${name}_np${ranks}
      COMMAND ${MPIEXEC_EXECUTABLE} -np ${ranks} $<TARGET_FILE:${name}>
              --expect-ranks=${ranks} --results=${CMAKE_BINARY_DIR}/test-results/${name}_np${ranks}.json)
    set_tests_properties(${name}_np${ranks} PROPERTIES LABELS mpi TIMEOUT 300 PROCESSORS ${ranks}
      ENVIRONMENT "${KANTOR_MPI_ENVIRONMENT}")
  endforeach()
endfunction()

function(kantor_thread_test name)
  cmake_parse_arguments(arg "" "" "RANKS;SOURCES;LINK" ${ARGN})
  kantor_test_program(${name} SOURCES ${arg_SOURCES} LINK ${arg_LINK} kantor_test_thread_main)
  foreach(ranks ${arg_RANKS})
    add_test(NAME ${name}_np${ranks}
      COMMAND ${name} --ranks=${ranks} --gtest_output=json:${CMAKE_BINARY_DIR}/test-results/${name}_np${ranks}.json)
    set_tests_properties(${name}_np${ranks} PROPERTIES LABELS unit TIMEOUT 300)
  endforeach()
endfunction()
