# One target a folder: boruta_<folder>, its unit tests beside the sources in one program.

# Some presets compile several sources at once (CMAKE_UNITY_BUILD), which halves the time. Sources named as APART, whose
# local names are also those of others, stay by themselves.

# boruta_library(NAME SOURCES… DEPENDS… [APART…])
function(boruta_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;APART" ${ARGN})
  set_source_files_properties(${ARG_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  add_library(boruta_${name} STATIC ${ARG_SOURCES})
  target_include_directories(boruta_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(boruta_${name} PUBLIC ${ARG_DEPENDS})
endfunction()

# boruta_embed(TARGET FILE HEADER NAMESPACE NAME): TARGET holds the bytes of FILE as the std::string_view NAMESPACE::NAME, so
# that nothing has to lie beside the program. HEADER, an include, declares it.
function(boruta_embed target file header namespace name)
  get_filename_component(stem "${file}" NAME_WE)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/${stem}_bytes.cpp")
  set(script "${PROJECT_SOURCE_DIR}/cmake/EmbedFile.cmake")
  set(input "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  add_custom_command(OUTPUT "${source}"
    COMMAND "${CMAKE_COMMAND}" "-DINPUT=${input}" "-DOUTPUT=${source}" "-DHEADER=${header}" "-DNAMESPACE=${namespace}"
            "-DNAME=${name}" -P "${script}"
    DEPENDS "${input}" "${script}"
    VERBATIM)
  target_sources(${target} PRIVATE "${source}")
endfunction()

# boruta_test(NAME SOURCES… DEPENDS… [APART…] [LOCK RESOURCE]): a GoogleTest program, one CTest case a test; of those with the same
# LOCK one runs at a time.
function(boruta_test name)
  if(NOT BORUTA_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "LOCK" "SOURCES;DEPENDS;APART" ${ARGN})
  set_source_files_properties(${ARG_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
  set(lock)
  if(ARG_LOCK)
    set(lock RESOURCE_LOCK ${ARG_LOCK})
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300 ${lock})
endfunction()

# boruta_fuzzer(NAME SOURCES… DEPENDS…): a libFuzzer program; its kept inputs are in corpus/NAME.
function(boruta_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin" UNITY_BUILD OFF)
  add_dependencies(fuzzers ${name})
endfunction()

# Asio and Beast in separately compiled mode: their code is built once, in runtime/ and http_beast.
add_library(boruta_asio INTERFACE)
target_compile_definitions(boruta_asio INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(boruta_asio INTERFACE Boost::headers Boost::json OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
