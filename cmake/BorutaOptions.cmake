# Language, warnings, hardening and tools that every target shares.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(BORUTA_TESTS "Build the tests" ON)
option(BORUTA_BENCH "Build the benchmarks" ON)
option(BORUTA_FUZZ "Build the fuzzers (clang only)" OFF)
option(BORUTA_AGENT_ONLY "Build what boards run, and nothing of the server, which the tests need" OFF)
set(BORUTA_SANITIZE "" CACHE STRING "Sanitizers for every target: address,undefined or thread")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()
find_program(MOLD mold)
if(MOLD AND NOT CMAKE_CROSSCOMPILING)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror=switch -Werror=return-type)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Known false positives of GCC 12 in coroutines and in <variant>.
  add_compile_options(-Wno-maybe-uninitialized -Wno-mismatched-new-delete -Wno-restrict)
endif()

# Hardening; tests/hardening looks for it in the programs.
add_compile_options(-fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_compile_options(-fcf-protection)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
  add_compile_options(-mbranch-protection=standard)
endif()
add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack)
# Checked calls need an optimiser, and hide from sanitizers what they would look at.
set(BORUTA_FORTIFIED ON)
if(CMAKE_BUILD_TYPE STREQUAL "Debug" OR BORUTA_SANITIZE)
  set(BORUTA_FORTIFIED OFF)
else()
  # Whatever the environment's flags say of it.
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()

if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  # Files beyond 2 GiB and inodes beyond 32 bits. Not 64 bits of time_t: Debian 12's 32-bit libraries were built without.
  add_compile_definitions(_FILE_OFFSET_BITS=64)
endif()

if(BORUTA_SANITIZE)
  add_compile_options(-fsanitize=${BORUTA_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${BORUTA_SANITIZE})
  # Frames of coroutines come from the heap and go there, where sanitizers see who uses one that is gone.
  add_compile_definitions(BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING _GLIBCXX_ASSERTIONS)
  if(BORUTA_SANITIZE MATCHES "thread")
    add_compile_options(-Wno-error=tsan -Wno-tsan)
  endif()
endif()

if(BORUTA_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "BORUTA_FUZZ needs clang: cmake --preset fuzz")
  endif()
  # Coverage for everything, libFuzzer's main for the fuzzers only; whatever a sanitizer finds ends the run.
  add_compile_options(-fsanitize=fuzzer-no-link -fno-sanitize-recover=all)
endif()
