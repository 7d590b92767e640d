# Compiler settings shared by every target.

option(CAUSEWAY_SANITIZE "Address and undefined-behaviour sanitizers" OFF)
option(CAUSEWAY_FUZZ "The fuzzers and nothing else; needs clang" OFF)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # A precompiled header makes __TIME__-like macros and its own mtime irrelevant to the objects that use it.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror=return-type
                    -Wno-missing-field-initializers -fno-omit-frame-pointer)
# ccache needs this to be able to cache objects that use a precompiled header.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)
  # GCC 12 reports every inlined coroutine frame, allocated and freed by Asio as it should be.
  add_compile_options($<$<CONFIG:Release,RelWithDebInfo>:-Wno-mismatched-new-delete>)
else()
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

if(CAUSEWAY_SANITIZE)
  # A null pointer ends the program anyway; these three checks are at every use of a pointer, and half of all code.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize=null,alignment,vptr -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

# A library of our own: its sources, the shared precompiled header and the include root.
# Headers are named from the repository's root: #include "schema/matrix/ids.hpp".
function(causeway_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS})
  if(NOT name STREQUAL "causeway_schema")
    target_precompile_headers(${name} REUSE_FROM causeway_schema)
  endif()
endfunction()

# The unit tests of a folder: one program.
function(causeway_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  if(ARG_SOURCES)
    # In the program itself: a library's member that nothing refers to would not be linked.
    add_executable(${name} ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/schema/test/support/sanitizers.cpp)
    target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} causeway_test_support GTest::gtest GTest::gmock GTest::gtest_main)
    target_precompile_headers(${name} REUSE_FROM causeway_schema)
  endif()
endfunction()
